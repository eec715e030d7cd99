package cost

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

// Lines of memory.stat of version 2 on Linux 6.18 and on 5.10, which has no sum of the kernel's parts.
const (
	newStat = "anon 1000\nfile 2000\nkernel 100000\nkernel_stack 32768\npagetables 8192\nsec_pagetables 0\n" +
		"percpu 512\nsock 4096\nvmalloc 64\nshmem 0\nslab_reclaimable 100\nslab_unreclaimable 50000\nslab 50100\n"
	oldStat = "anon 1000\nfile 2000\nkernel_stack 32768\npercpu 512\nsock 4096\nshmem 0\n" +
		"slab_reclaimable 100\nslab_unreclaimable 50000\nslab 50100\n"
)

func TestParseStat(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       map[string]int64
	}{
		{"new", newStat, map[string]int64{
			recording.PartPageTables: 8192, recording.PartKernelStacks: 32768,
			recording.PartKernel: 100000 - 8192 - 32768, recording.PartSocketBuffers: 4096,
		}},
		{"old", oldStat, map[string]int64{
			recording.PartPageTables: 0, recording.PartKernelStacks: 32768,
			recording.PartKernel: 512 + 50100, recording.PartSocketBuffers: 4096,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			parts, err := parseStat(strings.NewReader(test.text), 3)
			if err != nil || len(parts) != len(test.want) {
				t.Fatalf("%+v, %v", parts, err)
			}
			for _, p := range parts {
				if p.Bytes != test.want[p.Name] || p.Source == "" || p.Bound%int64(3*os.Getpagesize()) != 0 || p.Bound == 0 {
					t.Errorf("%+v, want %d, and a bound of whole pages a CPU", p, test.want[p.Name])
				}
			}
		})
	}
	for _, text := range []string{"", "anon 1000\n", newStat + "slab x\n", newStat + "slab -1\n", newStat + "slab\n"} {
		if parts, err := parseStat(strings.NewReader(text), 3); err == nil {
			t.Errorf("%q: %+v and no error", text, parts)
		}
	}
}

// A group is gone with its watch, whatever became of the processes in it.
func TestCgroupIsRemoved(t *testing.T) {
	needGroups(t)
	group, err := NewCgroup()
	if err != nil {
		t.Fatal(err)
	}
	straggler := start(t, "sockets", "0", "127.0.0.1:1")
	if err := group.Add(straggler.PID); err != nil {
		t.Fatal(err)
	}
	straggler.Expect("gate")
	parts, err := group.Parts()
	if err != nil {
		t.Fatal(err)
	}
	part(t, parts, recording.PartKernel)
	part(t, parts, recording.PartSocketBuffers)
	if err := group.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(group.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", group.dir, err)
	}
	if err := group.Remove(); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	straggler.Say("go") // it lives on
	straggler.Expect("held")
}

// A process that is gone can't be moved, and says so.
func TestAddOfWhatIsGone(t *testing.T) {
	needGroups(t)
	group := newGroup(t)
	if err := group.Add(1 << 30); err == nil {
		t.Error("no error")
	}
}

// What a killed weft has left behind goes; what is not weft's, or is in use, stays.
func TestSweep(t *testing.T) {
	parent := tree(t, map[string]string{
		"weft-4/busy": "", "weft-x/a": "", "other-1/a": "", "weft-6": "a file",
	})
	for _, dir := range []string{"weft-1", "weft-2", "weft-", "other-2"} {
		if err := os.Mkdir(filepath.Join(parent, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sweep(parent, func(pid int) bool { return pid == 2 })
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	if got, want := strings.Join(left, " "), "other-1 other-2 weft- weft-2 weft-4 weft-6 weft-x"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
}

// The group of a weft that was killed is removed by the next one in its place.
func TestNewCgroupSweeps(t *testing.T) {
	needGroups(t)
	group := newGroup(t)
	abandoned := filepath.Join(filepath.Dir(group.dir), groupPrefix+"999999999") // no such pid: pid_max is 4,194,304 at most
	if err := os.Mkdir(abandoned, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := group.Remove(); err != nil {
		t.Fatal(err)
	}
	newGroup(t)
	if _, err := os.Stat(abandoned); !errors.Is(err, fs.ErrNotExist) {
		os.Remove(abandoned)
		t.Errorf("%s is still there: %v", abandoned, err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add(newStat)
	f.Add(oldStat)
	f.Fuzz(func(t *testing.T, text string) {
		parts, err := parseStat(strings.NewReader(text), 3)
		for _, p := range parts {
			if p.Bytes < 0 || err != nil {
				t.Errorf("%+v, %v", p, err)
			}
		}
	})
}
