package cost

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes files below a directory and gives it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestSizes(t *testing.T) {
	root := tree(t, map[string]string{
		"slab/task_struct/slab_size": "5888\n", "slab/pid/slab_size": "192\n", "slab/odd/slab_size": "-1\n",
		"slab/huge/slab_size": "99999999\n", "slab/text/slab_size": "x\n", "secret/slab_size": "23\n",
	})
	s := sizes{root: filepath.Join(root, "slab"), known: map[string]int64{}}
	if got, err := s.sum(taskSlabs); err != nil || got != 5888+192 {
		t.Errorf("sum %d, %v", got, err)
	}
	for _, name := range []string{"absent", "odd", "huge", "text", "", ".", "..", "../secret", "a/b", strings.Repeat("x", 65)} {
		if got, err := s.of(name); err == nil {
			t.Errorf("%q: size %d and no error", name, got)
		}
	}
}

func TestNearestPower(t *testing.T) {
	for _, test := range []struct {
		sum, n uint64
		want   int64
	}{
		{1604 << 10, 100, 16 << 10},
		{1604 << 10, 104, 16 << 10}, // idle threads are in neither count
		{1604 << 10, 75, 16 << 10},
		{(64 << 10) * 90, 100, 64 << 10},
		{8192 * 3, 3, 8192},
		{1604 << 10, 0, 0},
		{0, 100, 0},
		{1 << 40, 1, 0},
	} {
		got, err := nearestPower(test.sum, test.n)
		if got != test.want || (err == nil) != (test.want > 0) {
			t.Errorf("%d bytes over %d: %d, %v, want %d", test.sum, test.n, got, err, test.want)
		}
	}
}

func TestStackSize(t *testing.T) {
	proc := tree(t, map[string]string{
		"meminfo": "MemTotal:  24683520 kB\nKernelStack:  1604 kB\n", "loadavg": "1.14 1.11 0.54 2/100 32735\n",
	})
	if got, err := stackSize(proc); err != nil || got != 16<<10 {
		t.Errorf("%d, %v", got, err)
	}
	for _, files := range []map[string]string{
		{"meminfo": "MemTotal:  24683520 kB\n", "loadavg": "1.14 1.11 0.54 2/100 32735\n"},
		{"meminfo": "KernelStack:  1604 kB\n", "loadavg": "1.14 1.11 0.54\n"},
		{"meminfo": "KernelStack:  1604 kB\n", "loadavg": "1.14 1.11 0.54 2/x 32735\n"},
		{"meminfo": "KernelStack:  1604 kB\n"},
	} {
		if got, err := stackSize(tree(t, files)); err == nil {
			t.Errorf("%v: %d and no error", files, got)
		}
	}
}

// What the meter cannot know is an error, before any trial.
func TestMeterWithoutSizes(t *testing.T) {
	if _, err := newMeter("/proc", t.TempDir()); err == nil || !strings.Contains(err.Error(), "task_struct") {
		t.Errorf("no slab caches: %v", err)
	}
}

// A protocol without a slab of its own, or with a name that is none, is named, and the rest is counted.
func TestSocketsOfUnknownSize(t *testing.T) {
	root := tree(t, map[string]string{"TCP/slab_size": "2368\n", "secret": "23\n"})
	m := &Meter{sizes: sizes{root: root, known: map[string]int64{}}, socket: 1000, port: 100}
	part, err := m.sockets(
		files{sockets: map[uint64]string{1: "TCP", 2: "TCP", 3: "NETLINK", 4: "../secret"}},
		network{ports: map[uint16]bool{8080: true}},
	)
	if part.Bytes != 2*2368+4*1000+100 {
		t.Errorf("%+v", part)
	}
	for _, text := range []string{`1 sockets of "NETLINK"`, `1 sockets of "../secret"`} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v lacks %s", err, text)
		}
	}
}
