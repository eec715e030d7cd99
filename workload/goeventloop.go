package workload

import (
	"bytes"
	"container/list"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/workload/http1"
)

// runEventLoop does all requests on the one thread that calls it: as many
// sockets as there may be requests in flight, none of which ever blocks, and
// one epoll set, in which the thread waits for all of them at once. There is no
// other goroutine, and the runtime's network poller is never started.
func runEventLoop(f *fetch) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newEventLoop(f)
	if err == nil {
		err = l.run()
		l.close()
	}
	if err != nil {
		f.abandon(err)
	}
}

const (
	maxEvents = 128       // sockets that one epoll_wait may report; the rest come with the next
	maxWait   = time.Hour // of one epoll_wait, whose time-out is a C int of milliseconds
)

// eventLoop waits for sockets and moves the tasks on whose they are.
//
// What a blocking worker keeps on its stack while it waits is kept in its
// eventTask. What it needs only between two waits exists once: since one task
// moves at a time, all share the buffers.
type eventLoop struct {
	fetch  *fetch
	epoll  int // descriptor of the epoll set
	tasks  []eventTask
	events []unix.EpollEvent

	// The tasks that have a request, the earliest deadline first: all
	// requests may take equally long, so the one begun last is due last.
	due list.List

	in, out []byte
	body    bytes.Reader
}

// eventTask is one request in flight, with the connection that it keeps for
// the next one.
type eventTask struct {
	number  int // in eventLoop.tasks: how epoll names it
	conn    eventConn
	watched uint32 // the events that epoll waits for, 0 for none yet
	step    eventStep
	kept    bool // the request goes over a connection that has carried others
	sent    int  // bytes of the request

	page     Page
	index    int // of page
	deadline time.Time
	due      *list.Element // in eventLoop.due

	response http1.Response
}

// eventStep is what a request needs next.
type eventStep uint8

const (
	toBegin   eventStep = iota // nothing but a turn
	toConnect                  // the end of its connect
	toSend                     // room in the socket's buffer
	toReceive                  // bytes of the answer
)

// String says what was being done when a request failed, as [worker] does.
func (s eventStep) String() string {
	return [...]string{"begin", "dial origin", "write request", "read response"}[s]
}

func newEventLoop(f *fetch) (*eventLoop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make epoll set: %w", err)
	}
	tasks := min(f.cfg.Concurrency, len(f.pages))
	l := &eventLoop{
		fetch: f, epoll: epoll,
		tasks:  make([]eventTask, tasks),
		events: make([]unix.EpollEvent, min(tasks, maxEvents)),
		in:     make([]byte, http1.ReadSize),
	}
	for i := range l.tasks {
		t := &l.tasks[i]
		t.number, t.conn.fd, t.due = i, -1, l.due.PushBack(t)
	}
	return l, nil
}

// run returns when every page is finished, or the loop itself has failed.
func (l *eventLoop) run() error {
	for i := range l.tasks {
		if t := &l.tasks[i]; l.take(t) {
			l.move(t)
		}
	}
	for l.due.Len() > 0 {
		n, err := l.wait()
		if err != nil {
			return err
		}
		// A task's turn closes no socket but its own: no event of this round
		// can be of a socket that is gone.
		for _, event := range l.events[:n] {
			l.move(&l.tasks[event.Fd])
		}
		l.expire()
	}
	return nil
}

// wait sleeps until sockets are ready or the first request is due.
func (l *eventLoop) wait() (int, error) {
	for {
		left := min(max(time.Until(l.first().deadline), 0), maxWait)
		// Rounded up: a request must not be given up before it is due.
		n, err := unix.EpollWait(l.epoll, l.events, int(left.Milliseconds())+1)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
			continue
		}
		return 0, fmt.Errorf("epoll_wait: %w", err)
	}
}

// first returns the task whose request is due first.
func (l *eventLoop) first() *eventTask { return l.due.Front().Value.(*eventTask) }

// expire fails the requests that have taken too long.
func (l *eventLoop) expire() {
	for l.due.Len() > 0 {
		t := l.first()
		if time.Until(t.deadline) > 0 {
			return
		}
		l.end(t, fmt.Errorf("%v: %w", t.step, os.ErrDeadlineExceeded))
		if l.take(t) {
			l.move(t)
		}
	}
}

// take gives a task its next page; when there is none left, the task is over.
func (l *eventLoop) take(t *eventTask) bool {
	i, page, ok := l.fetch.take()
	if !ok {
		t.hangUp()
		l.due.Remove(t.due)
		t.response = http1.Response{} // its buffers end with it, as a worker's do
		return false
	}
	t.index, t.page, t.deadline = i, page, l.fetch.deadline()
	t.kept = t.conn.fd >= 0
	t.step = toBegin
	l.due.MoveToBack(t.due)
	return true
}

// move takes a task as far as it comes without waiting: through its request,
// and on to the next ones.
func (l *eventLoop) move(t *eventTask) {
	for {
		done, err := l.advance(t)
		if err != nil {
			err = fmt.Errorf("%v: %w", t.step, err)
			if t.kept && isStale(&t.response, err) {
				t.hangUp()
				t.kept, t.step = false, toBegin
				continue
			}
		}
		if !done && err == nil {
			return
		}
		l.end(t, err)
		if !l.take(t) {
			return
		}
	}
}

// advance does what can be done of a request without waiting. It reports
// whether the response is complete; if it is not, epoll tells when to go on.
func (l *eventLoop) advance(t *eventTask) (done bool, err error) {
	switch t.step {
	case toBegin:
		t.response.Reset("", http1.Limits{})
		t.sent = 0
		if t.conn.fd < 0 {
			t.step = toConnect
			return false, l.dial(t)
		}
		t.step = toSend
		return false, l.send(t)
	case toConnect:
		if err := t.conn.connected(); err != nil {
			return false, fmt.Errorf("connect to %v: %w", l.fetch.addr, err)
		}
		t.step = toSend
		return false, l.send(t)
	case toSend:
		return false, l.send(t)
	default:
		return l.receive(t)
	}
}

func (l *eventLoop) dial(t *eventTask) error {
	if err := t.conn.dial(l.fetch.addr); err != nil {
		return err
	}
	t.watched = 0
	return l.watch(t, unix.EPOLLOUT)
}

// send writes the request. It is encoded again should the socket's buffer not
// have taken all of it at once, so that no task has to keep it.
func (l *eventLoop) send(t *eventTask) error {
	out, err := http1.AppendRequest(l.out[:0], l.fetch.request(t.page))
	l.out = out[:0]
	if err != nil {
		return err
	}
	n, err := t.conn.Write(out[t.sent:])
	if err != nil && err != unix.EAGAIN {
		return err
	}
	if t.sent += n; t.sent < len(out) {
		return l.watch(t, unix.EPOLLOUT)
	}
	t.step = toReceive
	return l.watch(t, unix.EPOLLIN)
}

// receive reads what has come of the response.
func (l *eventLoop) receive(t *eventTask) (bool, error) {
	for {
		_, done, err := t.response.ReadOnce(&t.conn, l.in)
		if err == unix.EAGAIN {
			return false, nil
		}
		if done || err != nil || t.conn.drained {
			return done, err
		}
	}
}

// watch says what epoll shall wait for on the task's socket. Sockets are
// level-triggered: what a turn left unread is told again, so none of them has
// to be read until it says EAGAIN, and a connection that the origin closed
// between two requests is told too. That costs one call a connection more than
// edges would, to turn from EPOLLOUT to EPOLLIN; none a request.
func (l *eventLoop) watch(t *eventTask, events uint32) error {
	if t.watched == events {
		return nil
	}
	op := unix.EPOLL_CTL_MOD
	if t.watched == 0 {
		op = unix.EPOLL_CTL_ADD
	}
	// Fd is data that epoll hands back, whatever it means.
	event := unix.EpollEvent{Events: events, Fd: int32(t.number)}
	if err := unix.EpollCtl(l.epoll, op, t.conn.fd, &event); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	t.watched = events
	return nil
}

// end hands a task's page back and keeps or closes its connection.
func (l *eventLoop) end(t *eventTask, err error) {
	if err != nil || !l.fetch.keeps(&t.response) {
		t.hangUp()
	}
	var departures []Departure
	if err == nil {
		departures, err = parseResponse(&t.response, &l.body, t.page)
	}
	l.fetch.finish(t.index, t.page, departures, err)
}

// hangUp closes the task's connection. The answer is complete, or the error is
// already known: a failed close would add nothing.
func (t *eventTask) hangUp() { _ = t.conn.Close() }

// close gives up the epoll set and, should the loop have failed, connections.
func (l *eventLoop) close() {
	for i := range l.tasks {
		l.tasks[i].hangUp()
	}
	_ = unix.Close(l.epoll) // it holds nothing that could be lost
}
