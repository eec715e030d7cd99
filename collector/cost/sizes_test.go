package cost

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
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
	if got, err := s.sum(taskSlabs); err != nil || got.bytes != 5888+192 || got.String() != "task_struct, pid" {
		t.Errorf("sum %+v, %v", got, err)
	}
	if got, err := s.sum([]string{"pid", "odd"}); err == nil {
		t.Errorf("sum %+v and no error", got)
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

// A cache that the kernel does not have costs no more than its own figure: what is left out is named.
func TestMeterWithoutSizes(t *testing.T) {
	sized := func(lists ...[]string) map[string]string {
		files := map[string]string{"any/slab_size": "8\n"}
		for _, name := range slices.Concat(lists...) {
			files[name+"/slab_size"] = "100\n"
		}
		return files
	}
	oldPorts, newPorts := portSlabs[:1], portSlabs[1:]
	all := []string{recording.PartUser, recording.PartPageTables, recording.PartKernelStacks, recording.PartTasks,
		recording.PartSockets, recording.PartPolls, recording.PartSocketBuffers}
	for _, test := range []struct {
		name    string
		files   map[string]string
		without string // the part
		err     string // what is missing
		source  string // of the epoll items
	}{
		{"all", sized(taskSlabs, processSlabs, socketSlabs, portSlabs, pollSlabs), "", "", "(eventpoll_epi, eventpoll_pwq, ep_head)"},
		{"before 6.1", sized(taskSlabs, processSlabs, socketSlabs, oldPorts, pollSlabs), "", "", "(eventpoll_epi, eventpoll_pwq, ep_head)"},
		{"an epoll of another make", sized(taskSlabs, socketSlabs, newPorts, pollSlabs[:1]), "", "", "(eventpoll_epi; without eventpoll_pwq, ep_head)"},
		{"no epoll", sized(taskSlabs, socketSlabs), "", "", "(without eventpoll_epi, eventpoll_pwq, ep_head)"},
		{"no task_struct", sized(socketSlabs), recording.PartTasks, "task_struct", "(without"},
		{"no filp", sized(taskSlabs, socketSlabs[:2]), recording.PartSockets, "filp", "(without"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := newMeter("/proc", tree(t, test.files))
			if err != nil {
				t.Fatal(err)
			}
			parts, err := m.ByProc(Process{PID: os.Getpid(), Threads: 3})
			if text := fmt.Sprint(err); test.err != "" && !strings.Contains(text, "slab cache "+test.err) ||
				test.err == "" && strings.Contains(text, "slab cache") { // the protocols' own are not there
				t.Errorf("error %v, want one of %q", err, test.err)
			}
			var got []string
			for _, p := range parts {
				got = append(got, p.Name)
			}
			want := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == test.without })
			if !slices.Equal(got, want) {
				t.Errorf("parts %v, want %v", got, want)
			}
			if p := part(t, parts, recording.PartPolls); !strings.Contains(p.Source, test.source) {
				t.Errorf("%+v, want a source %s", p, test.source)
			}
		})
	}
	files := sized(taskSlabs)
	files["pid/slab_size"] = "x\n"
	if _, err := newMeter("/proc", tree(t, files)); err == nil || !strings.Contains(err.Error(), "pid") {
		t.Errorf("a size that is none: %v", err)
	}
}

// What ports cost without the cache that Linux 6.1 brought.
func TestPortsOfAnOldKernel(t *testing.T) {
	m := &Meter{sizes: sizes{root: tree(t, map[string]string{"TCP/slab_size": "2000\n", "tcp_bind_bucket/slab_size": "100\n"}), known: map[string]int64{}}}
	var err error
	if m.port, err = m.sizes.sum(portSlabs); err != nil {
		t.Fatal(err)
	}
	part, err := m.sockets(files{sockets: map[uint64]string{1: "TCP"}}, network{ports: map[uint16]bool{8080: true, 8081: true}})
	if err != nil || part.Bytes != 2000+2*100 || !strings.Contains(part.Source, "2 TCP ports × 100 (tcp_bind_bucket; without tcp_bind2_bucket)") {
		t.Errorf("%+v, %v", part, err)
	}
}

// A protocol without a slab of its own, or with a name that is none, is named, and the rest is counted.
func TestSocketsOfUnknownSize(t *testing.T) {
	root := tree(t, map[string]string{"TCP/slab_size": "2368\n", "secret": "23\n"})
	m := &Meter{sizes: sizes{root: root, known: map[string]int64{}}, socket: slabSum{bytes: 1000}, port: slabSum{bytes: 100}}
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
