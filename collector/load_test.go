package collector

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/procfs"

	"github.com/weft-profiler/weft/collector/recording"
)

// hostFixture makes a /proc of a machine of two CPUs; without PSI when pressure is empty.
func hostFixture(t *testing.T, cpu, pressure string) procfs.FS {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{"stat": "cpu  " + cpu + "\ncpu0 1 0 0 0 0 0 0 0 0 0\ncpu1 1 0 0 0 0 0 0 0 0 0\n"}
	if pressure != "" {
		files["pressure/cpu"] = pressure
	}
	for name, text := range files {
		path := filepath.Join(root, name)
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

func psi(total string) string {
	return "some avg10=1.00 avg60=2.00 avg300=3.00 total=" + total + "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
}

func TestLoad(t *testing.T) {
	// user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice: idle and iowait are not busy, guest is
	// in user.
	const before, after = "100 200 300 9000 50 7 5 23 40 0", "107 202 311 9999 99 8 9 30 46 0"
	tests := []struct {
		name          string
		before, after procfs.FS
		want          recording.HostLoad
	}{
		{"busy", hostFixture(t, before, psi("1000")), hostFixture(t, after, psi("24000")),
			recording.HostLoad{BusyNS: 25 * 10e6, StealNS: 7 * 10e6, StallNS: 23e6}},
		{"without PSI", hostFixture(t, before, ""), hostFixture(t, after, ""),
			recording.HostLoad{BusyNS: 25 * 10e6, StealNS: 7 * 10e6, StallNS: -1}},
		{"a step back", hostFixture(t, after, psi("24000")), hostFixture(t, before, psi("1000")), recording.HostLoad{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			from, err := readLoad(test.before)
			if err != nil {
				t.Fatal(err)
			}
			to, err := readLoad(test.after)
			if err != nil {
				t.Fatal(err)
			}
			if got := to.since(from); *got != test.want {
				t.Errorf("got %+v, want %+v", *got, test.want)
			}
			if from.cpus != 2 {
				t.Errorf("%d CPUs, want 2", from.cpus)
			}
		})
	}
}

func TestLoadOfGarbage(t *testing.T) {
	for _, fs := range []procfs.FS{
		hostFixture(t, "rubbish", ""), hostFixture(t, "1 2 3 4 5 6 7 8 9 10", "some of it"),
	} {
		if l, err := readLoad(fs); err == nil {
			t.Errorf("%+v, want an error", l)
		}
	}
}
