package collector

import (
	"testing"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
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
