package collector

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/bpf/exectest"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/collector/symbols"
)

// A program that makes threads and connections without end does not take weft's memory, and is in the sums.
func TestEndsBeyondTheList(t *testing.T) {
	w := &Watch{trial: &recording.Trial{}}
	thread := bpf.Thread{Leader: 1, Voluntary: 5, Involuntary: 3}
	connection := bpf.Connection{Transport: bpf.TransportTCP, Replies: 7, AwaitedNs: 70}
	connection.Sent.Bytes = 11
	account := agrees()
	account.Unseen = 2
	const beyond = 3
	for range mostEnds + beyond {
		w.threadGone(thread)
		w.connectionGone(connection)
		w.timeGone(account)
	}
	if len(w.gone) != mostEnds || len(w.closed) != mostEnds || len(w.times) != mostEnds {
		t.Errorf("listed: %d threads, %d connections, %d times", len(w.gone), len(w.closed), len(w.times))
	}
	if w.unlisted != 2*beyond || w.unlistedConnections != beyond || w.timesUnlisted != beyond {
		t.Errorf("not listed: %d, of which %d connections, and %d times", w.unlisted, w.unlistedConnections, w.timesUnlisted)
	}
	if got, want := w.switchesOf(w.gone), (switches{5 * (mostEnds + beyond), 3 * (mostEnds + beyond)}); got != want || w.droppedProcesses != beyond {
		t.Errorf("%+v, want %+v; %d processes", got, want, w.droppedProcesses)
	}
	if got, want := w.droppedReplies, (recording.Awaiting{Replies: 7 * beyond, SumNS: 70 * beyond}); got != want || w.dropped.Sent.Bytes != 11*beyond {
		t.Errorf("%+v, want %+v; %+v", got, want, w.dropped)
	}
	work := w.droppedTime
	if work.RunningNS != 25*beyond || work.RunnableNS != 10*beyond || work.BlockedNS[recording.CauseFutex] != 50*beyond || w.droppedMadeUp != 2*beyond {
		t.Errorf("%+v, %d made up", work, w.droppedMadeUp)
	}
}

// That a process has ended before its goroutines were looked for is no probe that is missing.
func TestEndsBeforeItsGoroutinesAreLookedFor(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^$")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	s := symbols.New("/proc")
	defer s.Close()
	w := &Watch{c: &Collector{stacks: true, symbols: s}, trial: &recording.Trial{PID: cmd.Process.Pid}}
	if err := w.lookForNames(); err == nil || len(w.trial.Missing) > 0 {
		t.Errorf("got %v, missing %+v", err, w.trial.Missing)
	}
	if w.names != nil {
		w.names.Close()
	}
}

// What the programs took is told from the gate to done: neither the set-up's events are in it, nor what reading out runs.
func TestCostsAreOfTheWork(t *testing.T) {
	needRoot(t)
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	transfer := func(times int) { // of this process: the programs run for all, and leave it at that
		for range times {
			if _, err := unix.Write(ends[0], []byte{1}); err != nil {
				t.Error(err)
			}
			if _, err := unix.Read(ends[1], make([]byte, 1)); err != nil {
				t.Error(err)
			}
		}
	}
	const setUp, work = 50_000, 1000
	p := &played{ready: func(int) { transfer(setUp) }}
	p.play(t, exec.Command("sh", "-c", "echo ready; read line; echo done; read line; true"), func(program *exectest.Program) {
		program.Expect("done")
		transfer(work)
	})
	transfers, looks := int64(0), int64(0)
	for _, c := range p.trial.BPF {
		if strings.HasPrefix(c.Program, bpf.ObjectSock+".") {
			transfers += c.Runs
		}
		if strings.Contains(c.Program, ".live_") {
			looks += c.Runs
		}
	}
	if transfers < 2*work || transfers >= setUp || looks != 0 {
		t.Errorf("%d runs for transfers, want %d and those of others; %d to read out, want none", transfers, 2*work, looks)
	}
}
