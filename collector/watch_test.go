package collector

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf"
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
