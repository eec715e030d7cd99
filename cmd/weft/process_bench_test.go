package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
)

// BenchmarkTenThousandThreads holds 10,000 threads at once, each with a connection, and lets them end.
func BenchmarkTenThousandThreads(b *testing.B) {
	const threads = 10_000
	opts := loadPlan(threads, threads, "go-threads")
	c := prepared(b, opts)
	trial := watched(b, c, planned(c, workload.Held, threads))
	if trial.Threads.Peak < threads {
		b.Errorf("%d threads at once, want %d", trial.Threads.Peak, threads)
	}
	b.ReportMetric(float64(trial.Threads.Peak), "threads")
	budget(b, "lost events, 10,000 threads alive at once", float64(trial.LostEvents()), lostEvents, "", fmt.Sprintf(
		"go-threads with the origin's answers held: %d threads and %d connections, all at the default table sizes",
		trial.Threads.Peak, len(trial.Sockets.Connections)))
}

// BenchmarkResident runs weft in a process of its own, and looks at it from outside. Counting is looked at in a run that
// does nothing else: before profiled trials there are two sets of probes, in trials of which no time counts.
func BenchmarkResident(b *testing.B) {
	if err := collector.Supported(); err != nil {
		b.Skip(err)
	}
	alone, whole := lookAtWeft(b, "--profile=false"), lookAtWeft(b)
	alone.counting.report(b, whole)
}

// footprints are the greatest of a run.
type footprints struct{ counting, stacks, drawing footprint }

func lookAtWeft(b *testing.B, args ...string) footprints {
	b.Helper()
	cmd := compareProcess(b, b.TempDir()+"/recording", append(args, "-n", "20000", "-c", "50", "-r", "2", "-w", "0")...)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var most footprints
	for {
		select {
		case err := <-ended:
			if err != nil {
				b.Fatal(err)
			}
			return most
		case <-time.After(20 * time.Millisecond):
			switch now := readFootprint(cmd.Process.Pid); {
			case now.stacks:
				most.stacks = most.stacks.larger(now)
			case now.maps == 0, most.stacks.resident > 0: // before the probes, and after them or while they are closed
				most.drawing = most.drawing.larger(now)
			default:
				most.counting = most.counting.larger(now)
			}
		}
	}
}

// compareProcess is weft compare as a process of its own.
func compareProcess(b *testing.B, dir string, args ...string) *exec.Cmd {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	args = append([]string{"compare", "-q", "--latency", "0", "--page-size", "1024", "-m", loadModel, "-o", dir}, args...)
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	cmd.Stderr = os.Stderr
	return cmd
}

// footprint is the memory of a weft process, in bytes.
type footprint struct {
	resident int64 // VmRSS
	maps     int64 // BPF maps and programs: memlock of their descriptors
	stacks   bool  // the maps have room for stacks
}

func (f footprint) total() int64 { return f.resident + f.maps }

func (f footprint) larger(other footprint) footprint {
	if other.total() > f.total() {
		return other
	}
	return f
}

func (f footprint) report(b *testing.B, whole footprints) {
	b.Helper()
	const mib = 1 << 20
	stacks, drawing := whole.stacks, whole.drawing
	b.Logf("while the probes with stacks are loaded beside those that count, in control trials: %.1f MiB resident + %.1f MiB of maps",
		float64(whole.counting.resident)/mib, float64(whole.counting.maps)/mib)
	b.Logf("with stacks, bounded by --max-stacks and the tables' sizes: %.1f MiB resident + %.1f MiB of maps",
		float64(stacks.resident)/mib, float64(stacks.maps)/mib)
	b.Logf("merging profiles and drawing reports, when nothing is measured any more: %.1f MiB", float64(drawing.resident)/mib)
	if f.maps == 0 || stacks.maps == 0 {
		b.Errorf("no maps seen: counting %+v, with stacks %+v", f, stacks)
	}
	budget(b, "resident memory of weft plus its maps, counting", float64(f.total())/mib, residentMiB, "MiB", fmt.Sprintf(
		"VmRSS %.1f MiB + memlock of BPF descriptors %.1f MiB, largest of looks every 20 ms; the process is the test "+
			"binary as weft", float64(f.resident)/mib, float64(f.maps)/mib))
}

// readFootprint reads /proc. What is gone meanwhile counts nothing.
func readFootprint(pid int) footprint {
	proc := fmt.Sprintf("/proc/%d/", pid)
	f := footprint{resident: 1024 * number(readFields(proc + "status")["VmRSS"])}
	seen := map[string]bool{}
	files, _ := filepath.Glob(proc + "fdinfo/*")
	for _, file := range files {
		info := readFields(file)
		id := info["map_id"] + "/" + info["prog_id"]
		if info["memlock"] == "" || seen[id] {
			continue
		}
		seen[id] = true
		f.maps += number(info["memlock"])
		// The hash map of stacks has room for one where none are taken.
		if info["map_type"] == "1" && number(info["value_size"]) > 1000 && number(info["max_entries"]) > 1 {
			f.stacks = true
		}
	}
	return f
}

// readFields reads lines of "key: value".
func readFields(path string) map[string]string {
	fields := map[string]string{}
	file, err := os.Open(path)
	if err != nil {
		return fields
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		fields[key] = strings.TrimSpace(strings.TrimSuffix(value, " kB"))
	}
	return fields
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// BenchmarkStart is from the start of weft's process to the first gate that it opens.
func BenchmarkStart(b *testing.B) {
	if err := collector.Supported(); err != nil {
		b.Skip(err)
	}
	var seconds []float64
	for range rounds {
		dir := b.TempDir() + "/recording"
		cmd := compareProcess(b, dir, "-n", "1", "-c", "1", "-r", "1", "-w", "0")
		begin := collector.Now()
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		rec, err := recording.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		seconds = append(seconds, float64(rec.Trials[0].Phases.GateNS-begin)/1e9)
	}
	b.Logf("raw, s: %s", list(seconds, "%.3f"))
	budget(b, "start of weft to the first gate open", median(seconds), startSeconds, "s", fmt.Sprintf(
		"weft compare in a process of its own, origin and child included; median of %d", rounds))
}
