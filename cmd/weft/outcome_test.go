package main

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// On a full disk the report of what was measured is printed all the same, and the message says how to draw its page.
func TestFullDisk(t *testing.T) {
	needRoot(t)
	for _, test := range []struct {
		name, size string
		page       bool // is what there was no room for
	}{
		{"no room for the page", "size=300k", true},
		{"no room for all trials", "size=28k", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			disk := t.TempDir()
			if err := unix.Mount("weft", disk, "tmpfs", 0, test.size); err != nil {
				t.Skip(err)
			}
			defer unix.Unmount(disk, unix.MNT_DETACH)
			dir := filepath.Join(disk, "recording")
			code, out, log := weft(t, "compare", "-q", "-n", "3", "-c", "3", "-r", "1", "-w", "0", "-m", "go-goroutines", "--latency", "1ms", "--hold=false", "-o", dir)
			if code != exitFailed {
				t.Errorf("exit %d, want %d", code, exitFailed)
			}
			contains(t, "the report", out, "MODEL", "go-goroutines", "Evidence", "run.json")
			contains(t, "the message", log, "no space left on device", "weft report "+dir+" --format html > report.html")
			rec := openRecording(t, dir)
			if page := strings.Contains(log, "write report.html"); page != test.page || len(rec.Trials) < 2 || len(rec.Run.Profiles) > 0 != page {
				t.Errorf("%d trials were kept and %d profiles: %s", len(rec.Trials), len(rec.Run.Profiles), log)
			}
			if code, page, log := weft(t, "report", dir, "--format", "html"); code != exitOK || page == "" {
				t.Errorf("the command of the message: exit %d, %s", code, log)
			}
		})
	}
}
