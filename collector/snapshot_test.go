package collector

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/prometheus/procfs"

	"github.com/weft-profiler/weft/collector/recording"
)

// fixture makes a /proc with process 23 in it, of two threads.
func fixture(t *testing.T, files map[string]string) procfs.FS {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, "23", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fs, err := procfs.NewFS(root)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

const (
	rollup = "00400000-7ffd0000 ---p 00000000 00:00 0    [rollup]\n" +
		"Rss:    3000 kB\nPss:    2500 kB\nShared_Clean:  700 kB\nPrivate_Clean:  300 kB\nPrivate_Dirty:  2000 kB\n"
	mainStatus   = "Name:\tx\nVmPTE:\t    44 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t3\n"
	secondStatus = "Name:\tx\nVmPTE:\t    44 kB\nvoluntary_ctxt_switches:\t10\nnonvoluntary_ctxt_switches:\t20\n"
)

func TestSnapshot(t *testing.T) {
	fs := fixture(t, map[string]string{
		"smaps_rollup": rollup, "status": mainStatus, "task/23/status": mainStatus, "task/24/status": secondStatus,
		"fd/0": "", "fd/1": "", "fd/2": "",
	})
	got, err := readSnapshot(fs, 23)
	if err != nil {
		t.Fatal(err)
	}
	want := recording.Snapshot{
		RSSBytes: 3000 << 10, PSSBytes: 2500 << 10, USSBytes: 2300 << 10, PageTableBytes: 44 << 10,
		Threads: 2, FDs: 3, VoluntarySwitches: 17, InvoluntarySwitches: 23,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSnapshotOfWhatIsGone(t *testing.T) {
	if _, err := readSnapshot(fixture(t, map[string]string{"status": mainStatus}), 23); err == nil {
		t.Error("no smaps_rollup: no error")
	}
	if _, err := readSnapshot(fixture(t, nil), 23); err == nil {
		t.Error("no process: no error")
	}
}

// The figures of this very process agree with what the kernel tells another reader.
func TestSnapshotOfOneself(t *testing.T) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		t.Fatal(err)
	}
	got, err := readSnapshot(fs, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if got.RSSBytes < 1<<20 || got.PSSBytes > got.RSSBytes || got.USSBytes > got.PSSBytes || got.Threads < 1 || got.FDs < 3 {
		t.Errorf("%+v", got)
	}
	if _, err := cpuTime(os.Getpid()); err != nil {
		t.Error(err)
	}
}
