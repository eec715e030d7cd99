package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
)

// reportFile is the report for a browser, in the recording's directory.
const reportFile = "report.html"

// report draws what was written, from what was written. Where something could not be, such as on a full disk, it draws
// what there is all the same: nobody is to measure again for that.
func (c *comparison) report(unwritten error) error {
	rec, err := recording.Open(c.writer.Dir())
	if err != nil || unwritten != nil && len(rec.Trials) == 0 {
		return errors.Join(unwritten, err)
	}
	view := reports.NewView(rec)
	files := paths(rec)
	if unwritten == nil {
		unwritten = c.writer.WriteFile(reportFile, func(w io.Writer) error {
			return reports.Draw(w, view, "html", reports.Options{})
		})
	}
	if unwritten != nil {
		files.Report = ""
		unwritten = fmt.Errorf("%w: the report above is of what is in %s: draw its page where there is room by\n  weft report %s --format html > %s",
			unwritten, rec.Dir, rec.Dir, reportFile)
	}
	format := "text"
	if c.options.json {
		format = "json"
	}
	opts := reports.Options{Color: colored(c.out), Width: columnsOf(c.out), Paths: files}
	// Nobody may look any more, at a terminal that was closed: what became of the run is told by the exit code too.
	err = reports.Draw(c.out, view, format, opts)
	if unwritten != nil {
		return errors.Join(unwritten, err)
	}
	return errors.Join(c.outcome(rec, view), err)
}

// outcome is the error that a finished run is.
func (c *comparison) outcome(rec *recording.Recording, view *reports.View) error {
	if c.run.Interrupted {
		return fmt.Errorf("%w: finished trials (%d) are in %s", errInterrupted, len(rec.Trials), rec.Dir)
	}
	if c.originErr != nil {
		return c.originErr
	}
	return errors.Join(trialFailures(rec, view), view.Unread())
}

func paths(rec *recording.Recording) reports.Paths {
	p := reports.Paths{Report: filepath.Join(rec.Dir, reportFile), Raw: filepath.Join(rec.Dir, "run.json")}
	if n := len(rec.Run.Profiles); n > 0 {
		p.Profile = filepath.Join(rec.Dir, rec.Run.Profiles[n-1].File)
	}
	return p
}

// trialFailures makes failed trials, and models that did not come to the same result, an exit code.
func trialFailures(rec *recording.Recording, view *reports.View) error {
	failed := 0
	for _, t := range rec.Trials {
		if !t.OK() {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d, the findings say why", errTrials, failed, len(rec.Trials))
	}
	if digests := view.DifferentDigests(); len(digests) > 0 {
		return fmt.Errorf("%w: %d different results, the findings say which", errTrials, len(digests))
	}
	return nil
}
