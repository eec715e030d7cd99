package collector

import (
	"errors"
	"slices"
	"time"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

// looks is how often open connections are looked for: reading a table can pass over one while others end.
const looks = 20

// seen is everybody who lives or has ended so far.
type seen struct {
	threads     []bpf.Thread
	connections []bpf.Connection
	unlisted    int64      // TCP connections that were opened and are in no list and in no loss
	undrained   int64      // threads that ended, likewise
	tcp         bpf.Totals // over all TCP connections, listed or not
	losses      []bpf.Loss // beside the lists: who ends and is lost after it is in them
}

// lives gives all threads and connections so far, and stops the drain. Who lives is read first and the ring
// after it: what ends in between is in both, the other way round it would be in neither. Threads whose end was lost in
// between would be counted twice: then who lives is read again.
func (w *Watch) lives() (seen, error) {
	w.stopDrain()
	var (
		all  seen
		live []bpf.Thread
		err  error
	)
	for range looks {
		before := lostBy(all.losses, bpf.LossOfThreadsInRing)
		if live, err = w.c.probes.Live(); err != nil {
			return seen{}, err
		}
		if err := w.look(&all); err != nil {
			return seen{}, err
		}
		if all.unlisted <= 0 && all.undrained <= 0 && lostBy(all.losses, bpf.LossOfThreadsInRing) == before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for _, c := range all.connections {
		all.tcp = all.tcp.Plus(c.Totals())
	}
	all.threads = union(w.gone, live, identity)
	return all, nil
}

// look reads the connections, the ring and the losses, and counts who is in none of them.
func (w *Watch) look(all *seen) error {
	totals, totalsErr := w.c.probes.Totals(bpf.TransportTCP) // before the connections
	open, err := w.c.probes.Connections()
	w.drain()
	if err := errors.Join(totalsErr, err, w.drainErr); err != nil {
		return err
	}
	all.tcp = totals.Plus(w.dropped)
	all.connections = union(w.closed, union(open, all.connections, cookie), cookie)
	opened, totalsErr := w.c.probes.Totals(bpf.TransportTCP)
	threads, err := w.c.probes.Gauge(bpf.GaugeThreads)
	if err := errors.Join(totalsErr, err); err != nil {
		return err
	}
	all.losses, err = w.c.probes.Losses() // last: who is counted as lost has been counted as opened or ended
	all.unlisted = w.countUnlisted(all, int64(opened.Opened))
	all.undrained = w.countUndrained(all, int64(threads.Falls))
	return err
}

// countUndrained is how many ends of threads have not come out of the ring and are in no loss: a record that is being
// written holds back those behind it.
func (w *Watch) countUndrained(all *seen, ended int64) int64 {
	return ended - int64(len(w.gone)) - (w.unlisted - w.unlistedConnections) - lostBy(all.losses, bpf.LossOfThreadsInRing)
}

// lostBy is how much was lost by some causes.
func lostBy(losses []bpf.Loss, causes ...string) int64 {
	var lost int64
	for _, l := range losses {
		if slices.Contains(causes, l.Cause) {
			lost += int64(l.Count)
		}
	}
	return lost
}

// countUnlisted is how many of the TCP connections that were opened are not in a list and in no loss.
func (w *Watch) countUnlisted(all *seen, opened int64) int64 {
	missing := opened - w.unlistedConnections - lostBy(all.losses, bpf.LossOfConnections, bpf.LossOfConnectionsInRing)
	for _, c := range all.connections {
		if c.Transport == bpf.TransportTCP {
			missing--
		}
	}
	return missing
}

func cookie(c bpf.Connection) uint64 { return c.Cookie }

// threadIdentity outlives the reuse of a tid.
type threadIdentity struct {
	tid   uint32
	start uint64
}

func identity(t bpf.Thread) threadIdentity { return threadIdentity{t.Tid, t.StartNs} }

// union is ended with those of alive that are not in it.
func union[T any, K comparable](ended, alive []T, key func(T) K) []T {
	all, has := slices.Clone(ended), map[K]bool{}
	for _, e := range ended {
		has[key(e)] = true
	}
	for _, a := range alive {
		if !has[key(a)] {
			all = append(all, a)
		}
	}
	return all
}

// loseUnlisted counts what no look has found.
func (w *Watch) loseUnlisted(all seen) {
	for _, l := range []recording.Loss{
		{Cause: "connections_unlisted", Count: all.unlisted, Detail: "connections are not listed; bytes and calls are complete"},
		{Cause: "threads_unlisted", Count: all.undrained, Detail: "threads that ended are not listed, and their switches are in no sum"},
	} {
		if l.Count > 0 {
			w.trial.Lost = append(w.trial.Lost, l)
		}
	}
}
