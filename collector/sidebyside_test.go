package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf/exectest"
	"github.com/weft-profiler/weft/collector/recording"
)

// profiler is another tool that samples the same run of a program.
type profiler struct {
	name  string
	start func(t *testing.T, dir string, pid int) (end func() (map[string]int64, error)) // samples by innermost function of the program
}

// profilers ask for a sample as often as people do; weft takes more.
var profilers = []profiler{{"perf", startPerf}, {"bpftrace", startBpftrace}}

// sideBySide is how long the program is at work.
const sideBySide = 5 * time.Second

// TestSideBySide has weft, perf and bpftrace sample one run, from its gate to its end: the five functions that take the most
// are the same, in the same order, and each tool has as many samples as there was CPU time.
func TestSideBySide(t *testing.T) {
	needRoot(t)
	var hot hotTold
	ends := map[string]func() (map[string]int64, error){}
	counts := map[string]map[string]int64{"weft": {}}
	dir := t.TempDir()
	p := &played{ready: func(pid int) {
		for _, other := range profilers {
			if _, err := exec.LookPath(other.name); err != nil {
				t.Logf("without %s, which is not installed (Debian: linux-perf, bpftrace)", other.name)
				continue
			}
			ends[other.name] = other.start(t, dir, pid)
		}
	}}
	p.play(t, exec.Command(exectest.Build(t, "testdata/hot", false), "-wait", "-for", sideBySide.String()), func(program *exectest.Program) {
		program.Decode(&hot)
		for name, end := range ends {
			found, err := end()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			counts[name] = found
		}
	})
	if len(ends) == 0 {
		t.Skip("there is no other profiler here to compare with")
	}
	for _, s := range p.stacks {
		if s.Kind == recording.KindCPU {
			counts["weft"][innermost(s.Frames)] += s.Values.Samples
		}
	}
	ours := p.total(recording.KindCPU)
	if ours.Samples == 0 {
		t.Fatal("weft has no samples")
	}
	for name, found := range counts {
		period := int64(1_000_000_000 / samplesASecond)
		if name == "weft" {
			period = ours.CPUNS / ours.Samples
		}
		checkTop(t, name, found, &hot, period)
	}
}

// hotTold is what testdata/hot says of itself.
type hotTold struct {
	Shares []struct {
		Function string `json:"function"`
		CPUNS    int64  `json:"cpu_ns"`
	} `json:"shares"`
	ProcessNS int64 `json:"process_cpu_ns"`
}

// innermost is the function of the program's that was at it: what the kernel did in its name is its own, too.
func innermost(frames []recording.Frame) string {
	for i, f := range frames {
		if !strings.HasPrefix(f.Binary, "[") {
			for f.Inlined && i+1 < len(frames) { // the others do not see what is inlined
				i++
				f = frames[i]
			}
			return f.Function
		}
	}
	return "[kernel]"
}

// checkTop holds a tool's samples against the program's own clock. The bound is four times the sampling error, and 1 %
// of the whole for what two clocks do not agree in.
func checkTop(t *testing.T, name string, found map[string]int64, hot *hotTold, period int64) {
	t.Helper()
	all := int64(0)
	var top []string
	for function, n := range found {
		all += n
		top = append(top, function)
	}
	slices.SortFunc(top, func(a, b string) int { return int(found[b] - found[a]) })
	if all == 0 {
		t.Fatalf("%s has no samples", name)
	}
	t.Logf("%-8s %6d samples, %.3f s of %.3f s of CPU time", name, all, float64(all*period)/1e9, float64(hot.ProcessNS)/1e9)
	for i, s := range hot.Shares {
		function := "main." + s.Function
		want := float64(s.CPUNS) / float64(hot.ProcessNS)
		got := float64(found[function]) / float64(all)
		t.Logf("%-8s %-10s %6d %6.2f %%, the program says %.2f %%", name, function, found[function], 100*got, 100*want)
		if i >= len(top) || top[i] != function {
			t.Errorf("%s: number %d of the top five is not %s: %v", name, i+1, function, top[:min(5, len(top))])
		}
		if bound := 4*math.Sqrt(want*(1-want)/float64(all)) + 0.01; math.Abs(got-want) > bound {
			t.Errorf("%s: %s has a share of %.4f, want %.4f, at most %.4f off", name, function, got, want, bound)
		}
	}
	// A program that has the CPU for a part of the time is at it by chance when a sample is due: four times that error,
	// and 5 %.
	absent := max(0, 1-float64(hot.ProcessNS)/float64(sideBySide))
	if off, bound := float64(all*period)/float64(hot.ProcessNS)-1, 0.05+4*math.Sqrt(absent/float64(all)); math.Abs(off) > bound {
		t.Errorf("%s: the samples are off by %.1f %% of the CPU time, at most %.1f %% is chance", name, 100*off, 100*bound)
	}
}

// peerTime is the life of another profiler: it is killed with the test, or when it hangs.
func peerTime(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// startPerf is back when perf samples.
func startPerf(t *testing.T, dir string, pid int) func() (map[string]int64, error) {
	t.Helper()
	data, control, ack := filepath.Join(dir, "perf.data"), filepath.Join(dir, "control"), filepath.Join(dir, "ack")
	if err := errors.Join(unix.Mkfifo(control, 0o600), unix.Mkfifo(ack, 0o600)); err != nil {
		t.Fatal(err)
	}
	c, err1 := os.OpenFile(control, os.O_RDWR, 0)
	a, err2 := os.OpenFile(ack, os.O_RDWR, 0)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); a.Close() })
	cmd := exec.CommandContext(peerTime(t), "perf", "record", "-e", "cpu-clock", "-F", strconv.Itoa(samplesASecond), "-g", "-p", strconv.Itoa(pid), "-o", data,
		"-D", "-1", "--control", "fifo:"+control+","+ack)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, err := io.WriteString(c, "enable\n")
	if err := a.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // it may have ended without a word
		t.Fatal(err)
	}
	if _, readErr := io.ReadFull(a, make([]byte, len("ack\n"))); errors.Join(err, readErr) != nil {
		t.Fatal(err, readErr)
	}
	return func() (map[string]int64, error) {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return nil, err
		}
		cmd.Wait() // by the signal
		out, err := exec.Command("perf", "script", "-i", data, "-F", "comm,ip,sym").Output()
		if err != nil {
			return nil, fmt.Errorf("script: %w, record: %s", err, said.String())
		}
		return parsePerfScript(string(out)), nil
	}
}

// parsePerfScript takes stacks apart: a line that names the program, one a frame, leaf first, and an empty line.
func parsePerfScript(out string) map[string]int64 {
	found := map[string]int64{}
	for _, stack := range strings.Split(strings.TrimSpace(out), "\n\n") {
		function := "[kernel]"
		for _, line := range strings.Split(stack, "\n")[1:] {
			if f := strings.Fields(line); len(f) > 1 && !strings.HasPrefix(f[0], "ffff") {
				function = f[1]
				break
			}
		}
		found[function]++
	}
	return found
}

const samplesASecond = 999 // of perf and bpftrace

// startBpftrace is back when bpftrace has begun. It prints each second, because bpftrace (0.17: poll_perf_events in
// src/bpftrace.cpp) does not see an interrupt that comes while it is not waiting for events, but at its next event.
func startBpftrace(t *testing.T, _ string, pid int) func() (map[string]int64, error) {
	t.Helper()
	cmd := exec.CommandContext(peerTime(t), "bpftrace", "-p", strconv.Itoa(pid), "-e", fmt.Sprintf(
		`BEGIN { printf("begun\n"); } profile:hz:%d /pid == %d/ { @[ustack(perf, 1)] = count(); } interval:s:1 { printf("\n"); }`,
		samplesASecond, pid))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 0, 1<<10)
	for buf := make([]byte, 1<<10); !bytes.Contains(said, []byte("begun")); {
		n, err := out.Read(buf)
		if err != nil {
			t.Fatalf("bpftrace says %q: %v", said, err)
		}
		said = append(said, buf[:n]...)
	}
	return func() (map[string]int64, error) {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return nil, err
		}
		rest, err := io.ReadAll(out)
		if err := errors.Join(err, cmd.Wait()); err != nil {
			return nil, err
		}
		return parseBpftrace(string(rest)), nil
	}
}

// parseBpftrace takes a map of stacks apart: "@[", a line a frame, and "]: " with the count.
func parseBpftrace(out string) map[string]int64 {
	found := map[string]int64{}
	function := ""
	for _, line := range strings.Split(out, "\n") {
		count, end := strings.CutPrefix(line, "]: ")
		switch f := strings.Fields(line); {
		case end:
			n, _ := strconv.ParseInt(count, 10, 64)
			found[function] += n
		case strings.HasPrefix(line, "@["):
			function = "[kernel]"
		case len(f) > 1 && function == "[kernel]":
			function, _, _ = strings.Cut(f[1], "+")
		}
	}
	return found
}
