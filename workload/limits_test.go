package workload

import (
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// host is a fixture: a small host with 300 threads, 30 of them of user 1000,
// and one socket of two in TIME_WAIT toward 127.0.0.1:8080.
func host() map[string]string {
	return map[string]string{
		"loadavg":                          "0.52 0.58 0.59 1/300 12345\n",
		"sys/kernel/threads-max":           "2000\n",
		"sys/kernel/pid_max":               "32768\n",
		"sys/net/ipv4/ip_local_port_range": "32768\t33767\n",
		"sys/net/ipv4/tcp_tw_reuse":        "0\n",
		"100/status":                       "Name:\tpython3\nThreads:\t23\n",
		"101/status":                       "Name:\tsh\nThreads:\t7\n",
		"102/status":                       "Name:\tinit\nThreads:\t5\n",
		"net/tcp": `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1061 1 0000000064d57892 100 0 0 10 0
   1: 0100007F:8000 0100007F:1F90 06 00000000:00000000 03:000016FA 00000000     0        0 0 3 00000000af43b91f
   2: 0100007F:8001 0100007F:1F91 06 00000000:00000000 03:000016FA 00000000     0        0 0 3 00000000af43b91f
   3: 0100007F:8002 0100007F:1F90 01 00000000:00000000 03:000016FA 00000000     0        0 0 3 00000000af43b91f
`,
	}
}

func limitsOf(t *testing.T, files map[string]string) Limits {
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
	return Limits{
		Proc: root,
		Rlimit: func(resource int) (Rlimit, error) {
			if resource == unix.RLIMIT_NPROC {
				return Rlimit{Soft: 500, Hard: 1000}, nil
			}
			return Rlimit{Soft: 256, Hard: 1024}, nil
		},
		owner: func(path string) (int, bool) {
			if strings.HasSuffix(path, "/102") {
				return 0, true
			}
			return 1000, true
		},
	}
}

func TestLimits(t *testing.T) {
	local := netip.MustParseAddrPort("127.0.0.1:8080")
	for _, c := range []struct {
		name   string
		demand Demand
		host   map[string]string // differences
		want   []string          // nil: no error
	}{
		{"little", Demand{Concurrency: 100, Requests: 100, Trials: 2, KeepAlive: true, Threads: true, UID: 1000, Origin: local}, nil, nil},
		{"files", Demand{Concurrency: 961, Requests: 1, Trials: 1, KeepAlive: true}, nil, []string{"open files: 1025 needed", "hard limit 1024", "soft limit 256", "ulimit -Hn 1025"}},
		{"as many files as there are", Demand{Concurrency: 960, Requests: 1, Trials: 1, KeepAlive: true}, nil, nil},
		{"user's threads", Demand{Concurrency: 407, Requests: 1, Trials: 1, Threads: true, UID: 1000}, nil, []string{"501 needed, 30 of them there", "limit 500", "ulimit -u 501"}},
		{"just enough threads", Demand{Concurrency: 406, Requests: 1, Trials: 1, Threads: true, UID: 1000}, nil, nil},
		{"root is not bound", Demand{Concurrency: 900, Requests: 1, Trials: 1, Threads: true}, nil, nil},
		{"no threads", Demand{Concurrency: 900, Requests: 1, Trials: 1, UID: 1000}, nil, nil},
		{"host's threads", Demand{Concurrency: 900, Requests: 1, Trials: 1, Threads: true}, map[string]string{"sys/kernel/threads-max": "1263\n"}, []string{"1264 needed, 300 of them there", "kernel.threads-max is 1263"}},
		{"host's pids", Demand{Concurrency: 900, Requests: 1, Trials: 1, Threads: true}, map[string]string{"sys/kernel/pid_max": "1000\n"}, []string{"kernel.pid_max is 1000"}},
		{"ports without keep-alive", Demand{Concurrency: 10, Requests: 100, Trials: 10, Origin: local}, nil, []string{"1000 needed (10 trials of 100 connections)", "1 more in TIME_WAIT", "32768-33767 has 1000"}},
		{"just enough ports", Demand{Concurrency: 10, Requests: 100, Trials: 10}, nil, nil},
		{"ports with keep-alive", Demand{Concurrency: 10, Requests: 100, Trials: 10, KeepAlive: true, Origin: local}, nil, nil},
		{"ports used again", Demand{Concurrency: 10, Requests: 10_000, Trials: 10, Origin: local}, map[string]string{"sys/net/ipv4/tcp_tw_reuse": "2"}, nil},
		{"but not far away", Demand{Concurrency: 10, Requests: 10_000, Trials: 10, Origin: netip.MustParseAddrPort("10.0.0.1:80")}, map[string]string{"sys/net/ipv4/tcp_tw_reuse": "2"}, []string{"100000 needed", "0 more"}},
		{"unless told so", Demand{Concurrency: 10, Requests: 10_000, Trials: 10, Origin: netip.MustParseAddrPort("10.0.0.1:80")}, map[string]string{"sys/net/ipv4/tcp_tw_reuse": "1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := host()
			maps.Copy(files, c.host)
			err := limitsOf(t, files).Check(c.demand)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			checkError(t, err, ErrLimit, c.want...)
		})
	}
}

// TestLimitsOfWeft: weft opens files too, however little is asked for.
func TestLimitsOfWeft(t *testing.T) {
	l := limitsOf(t, host())
	l.Rlimit = func(int) (Rlimit, error) { return Rlimit{Soft: 100, Hard: weftFiles}, nil }
	err := l.Check(Demand{Concurrency: 1, Requests: 1, Trials: 1, KeepAlive: true})
	checkError(t, err, ErrLimit, "needed by weft itself", "hard limit 390", "ulimit -Hn")
}

// TestLimitsUnreadable: a limit that cannot be read is not a limit that is
// kept, and not one that is broken.
func TestLimitsUnreadable(t *testing.T) {
	d := Demand{Concurrency: 1, Requests: 1, Trials: 1, Threads: true, UID: 1000, Origin: netip.MustParseAddrPort("127.0.0.1:8080")}
	for _, name := range []string{"loadavg", "sys/kernel/threads-max", "sys/kernel/pid_max", "sys/net/ipv4/ip_local_port_range"} {
		for _, text := range []string{"", "many\n", "\x00"} {
			files := host()
			files[name] = text
			if err := limitsOf(t, files).Check(d); err == nil || errors.Is(err, ErrLimit) {
				t.Errorf("%s with %q: %v", name, text, err)
			}
		}
	}
	files := host()
	files["net/tcp"] = "titles\n 0: 0100007F:1F90 XX 06\n"
	if err := limitsOf(t, files).Check(d); err == nil {
		t.Error("broken address accepted")
	}
}

func TestHostLimits(t *testing.T) {
	if err := CheckLimits(Demand{Concurrency: 1, Requests: 1, Trials: 1, KeepAlive: true, Threads: true, UID: os.Getuid()}); err != nil {
		t.Error(err)
	}
	p := Plan{Models: []string{"go-sequential", "go-threads"}, Runs: 3, Requests: 7, Concurrency: 5}
	want := Demand{Concurrency: 5, Requests: 7, Trials: 6, Threads: true, UID: 23}
	if got := p.Demand(23, netip.AddrPort{}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
