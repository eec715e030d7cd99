package bpf

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weft-profiler/weft/bpf/exectest"
)

func TestThreadsAreMadeNamedAndGone(t *testing.T) {
	const threads = 23
	w := watch(t, Options{}, "threads", fmt.Sprint(threads))
	before := w.gauge(GaugeThreads)
	w.Say("go")
	w.Expect("made")
	live := liveIsProc(t, w)
	names := map[string]int{}
	for _, thread := range live {
		names[ThreadName(thread)]++
		if int(thread.Pid) != w.PID {
			t.Errorf("thread %d of process %d, want %d", thread.Tid, thread.Pid, w.PID)
		}
	}
	for i := range threads {
		if name := fmt.Sprintf("truth-%d", i); names[name] != 1 {
			t.Errorf("%d threads are called %s, want 1", names[name], name)
		}
	}
	alive := w.gauge(GaugeThreads)
	if int(alive.Now) < len(live) || alive.Peak < alive.Now || alive.Peak > before.Now+alive.Rises {
		t.Errorf("gauge %+v, %d threads", alive, len(live))
	}

	w.Say("leave")
	w.Decode(new(any))
	w.finish()
	checkSwitches(t, w)
	named := 0
	for _, thread := range w.gone {
		if strings.HasPrefix(ThreadName(thread), "truth-") {
			named++
		}
		if thread.EndNs <= thread.StartNs {
			t.Errorf("thread %d ended at %d, started at %d", thread.Tid, thread.EndNs, thread.StartNs)
		}
	}
	after := w.gauge(GaugeThreads)
	if named != threads || uint64(len(w.gone)) != after.Rises || after.Now != 0 || after.Falls != after.Rises {
		t.Errorf("%d named threads gone, %d in all, gauge %+v", named, len(w.gone), after)
	}
	w.noLoss()
}

// checkSwitches compares the switches of all threads with what wait4 says of the process.
func checkSwitches(t *testing.T, w *watched) {
	t.Helper()
	var voluntary, involuntary uint64
	for _, thread := range w.gone {
		voluntary += thread.Voluntary
		involuntary += thread.Involuntary
	}
	usage := w.Cmd.ProcessState.SysUsage().(*syscall.Rusage)
	// Each thread's last switch, out of do_exit for good, comes after the account and before wait4's.
	if d := uint64(usage.Nvcsw) - voluntary; d > uint64(len(w.gone)) {
		t.Errorf("%d voluntary switches, rusage has %d", voluntary, usage.Nvcsw)
	}
	if d := uint64(usage.Nivcsw) - involuntary; d > uint64(len(w.gone)) {
		t.Errorf("%d involuntary switches, rusage has %d", involuntary, usage.Nivcsw)
	}
}

// liveIsProc compares the live threads with the gauge and with /proc/PID/task. The Go runtime may make a thread
// between two looks: it is looked again until the three agree.
func liveIsProc(t *testing.T, w *watched) []Thread {
	t.Helper()
	var seen, tids []int
	for range 100 {
		live, err := w.probes.Live()
		if err != nil {
			t.Fatal(err)
		}
		seen = seen[:0]
		for _, thread := range live {
			seen = append(seen, int(thread.Tid))
		}
		slices.Sort(seen)
		tids = taskIDs(t, w.PID)
		if slices.Equal(seen, tids) && w.gauge(GaugeThreads).Now == uint64(len(tids)) {
			return live
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("live threads %v, /proc has %v, gauge %+v", seen, tids, w.gauge(GaugeThreads))
	return nil
}

func taskIDs(t *testing.T, pid int) []int {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	var tids []int
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			t.Fatal(err)
		}
		tids = append(tids, tid)
	}
	slices.Sort(tids)
	return tids
}

func TestBytesAndCallsAreExact(t *testing.T) {
	tests := []struct {
		transport     string
		send, receive string
		kind          Transport
	}{
		{"tcp4", "write", "read", TransportTCP},
		{"tcp4", "send", "recv", TransportTCP},
		{"tcp4", "writev", "readv", TransportTCP},
		{"tcp4", "sendmsg", "recvmsg", TransportTCP},
		{"tcp4", "sendfile", "peek", TransportTCP},
		{"tcp6", "write", "recv", TransportTCP},
		{"udp4", "write", "read", TransportUDP},
		{"udp4", "sendmsg", "recvmsg", TransportUDP},
		{"udp4", "send", "readv", TransportUDP},
		{"unix", "write", "read", TransportUnix},
		{"unix", "sendmsg", "readv", TransportUnix},
		{"unix", "send", "recvmsg", TransportUnix},
		{"unix", "sendfile", "recv", TransportUnix},
		{"seqpacket", "write", "read", TransportUnix},
		{"seqpacket", "sendmsg", "recvmsg", TransportUnix},
	}
	for _, test := range tests {
		t.Run(strings.Join([]string{test.transport, test.send, test.receive}, "_"), func(t *testing.T) {
			busyNeighbour(t)
			w := watch(t, Options{}, "transfer", test.transport, test.send, test.receive)
			w.Say("go")
			var truth transferTruth
			w.Decode(&truth)
			got := w.totals(test.kind)
			want := transferTruth{got.Sent.Bytes, got.Sent.Calls, got.Recv.Bytes, got.Recv.Calls}
			if want != truth || truth.Sent != transferBytes {
				t.Errorf("saw %+v, the program did %+v", want, truth)
			}
			var sum transferTruth
			for _, c := range w.connections() {
				sum.Sent += c.Sent.Bytes
				sum.SendCalls += c.Sent.Calls
				sum.Received += c.Recv.Bytes
				sum.RecvCalls += c.Recv.Calls
			}
			if sum != truth {
				t.Errorf("connections sum to %+v, the program did %+v", sum, truth)
			}
			w.finish()
			sum = transferTruth{}
			for _, thread := range w.gone {
				sum.Sent += thread.SentBytes
				sum.SendCalls += thread.SentCalls
				sum.Received += thread.RecvBytes
				sum.RecvCalls += thread.RecvCalls
			}
			if sum != truth {
				t.Errorf("threads sum to %+v, the program did %+v", sum, truth)
			}
			w.noLoss()
		})
	}
}

// busyNeighbour starts a program beside the target that carries bytes and makes threads, and must not count.
func busyNeighbour(t *testing.T) {
	t.Helper()
	neighbour := exectest.StartSelf(t, "transfer", "tcp4", "write", "read")
	neighbour.Expect("ready")
	neighbour.Say("go")
}

func TestDescendantsCount(t *testing.T) {
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	const processes = 1 + 3 + 3*2
	w := watch(t, Options{}, "family", sink.LocalAddr().String(), "3", "2")
	w.Say("go")
	w.Decode(new(any))
	w.finish()
	leaders := map[uint32]bool{}
	for _, thread := range w.gone {
		if thread.Leader == 1 {
			leaders[thread.Pid] = true
		}
	}
	if len(leaders) != processes {
		t.Errorf("%d processes, want %d", len(leaders), processes)
	}
	if got := w.totals(TransportUDP); got.Sent.Bytes != processes*23 || got.Sent.Calls != processes {
		t.Errorf("sent %+v, want %d bytes in %d calls", got.Sent, processes*23, processes)
	}
	if after := w.gauge(GaugeThreads); after.Now != 0 || after.Rises != uint64(len(w.gone)) {
		t.Errorf("threads %+v, %d gone", after, len(w.gone))
	}
	w.noLoss()
}

func TestBriefProgramIsSeenWhole(t *testing.T) {
	needProbes(t)
	s := serve(t, "tcp", "127.0.0.1:0")
	probes, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer probes.Close()
	w := &watched{t: t, probes: probes}
	if err := probes.Adopt(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	exectest.StartSelf(t, "brief", s.listener.Addr().String()).End()
	if err := probes.Disown(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	w.drain()
	if got := w.totals(TransportTCP); got.Sent.Bytes != 23 || got.Sent.Calls != 1 {
		t.Errorf("sent %+v, want 23 bytes in a call", got.Sent)
	}
	if gauge := w.gauge(GaugeThreads); gauge.Now != 0 || gauge.Rises == 0 || int(gauge.Rises) != len(w.gone) {
		t.Errorf("threads %+v, %d gone", gauge, len(w.gone))
	}
	w.noLoss()
}

func TestExecFromAnotherThreadKeepsThePid(t *testing.T) {
	s := serve(t, "tcp", "127.0.0.1:0")
	w := watch(t, Options{}, "exec", s.listener.Addr().String())
	w.Say("go")
	w.finish()
	if got := w.totals(TransportTCP); got.Sent.Bytes != 23 {
		t.Errorf("sent %d bytes after exec, want 23", got.Sent.Bytes)
	}
	leaders, named := 0, 0
	for _, thread := range w.gone {
		leaders += int(thread.Leader)
		if thread.Tid == uint32(w.PID) {
			named++
		}
	}
	if gauge := w.gauge(GaugeThreads); gauge.Now != 0 || named != 2 { // the first thread, and the one that took over
		t.Errorf("threads %+v, %d with the process's number, want 2", gauge, named)
	}
	if leaders != 1 {
		t.Errorf("%d first threads, want 1: it is one process", leaders)
	}
	w.noLoss()
}
