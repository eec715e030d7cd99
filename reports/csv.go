package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSV draws one row a trial, of every kind, and one column a metric, in base units; a cell is empty where the
// trial's kind or evidence gives no figure. A failed trial has its row too, with ok false: a reader decides. Where the
// plan was not carried out, each row says how much of it was, and where a profile cannot be read, that.
func CSV(w io.Writer, v *View, _ Options) error {
	v.Totals()
	out := csv.NewWriter(w)
	header := []string{"model", "trial", "kind", "ok", "failure", "lost", "missing", "incomplete"}
	for _, metric := range v.Metrics {
		header = append(header, fmt.Sprintf("%s (%s)", metric.Name, metric.Unit))
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for _, m := range v.Models {
		for _, t := range m.Trials {
			if err := out.Write(csvRow(v, m.Name, t)); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

func csvRow(v *View, model string, t Trial) []string {
	row := []string{escapeCSV(model), strconv.Itoa(t.Number), string(t.Kind), strconv.FormatBool(t.OK),
		escapeCSV(t.Failure), escapeCSV(csvLost(t)), escapeCSV(csvMissing(t)), escapeCSV(join("; ", v.Evidence.Extent.missingText(), v.Evidence.unreadText()))}
	for _, metric := range v.Metrics {
		cell := ""
		if x, ok := t.Values[metric.Name]; ok {
			cell = strconv.FormatFloat(x, 'f', -1, 64)
		}
		row = append(row, cell)
	}
	return row
}

func csvLost(t Trial) string {
	var parts []string
	for _, l := range t.Lost {
		parts = append(parts, fmt.Sprintf("%s=%d", l.Cause, l.Count))
	}
	return strings.Join(parts, "; ")
}

func csvMissing(t Trial) string {
	var parts []string
	for _, m := range t.Missing {
		parts = append(parts, fmt.Sprintf("%s (%s)", m.Probe, m.Reason))
	}
	return strings.Join(parts, "; ")
}
