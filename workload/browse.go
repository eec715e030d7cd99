package workload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weft-profiler/weft/workload/http1"
)

// conn is a connection to the origin as a model waits on it: Read and Write
// return when there is something, the connection has ended, or the deadline
// has passed (then os.ErrDeadlineExceeded). A net.Conn is one.
type conn interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// dialer opens a connection to the origin, by the deadline. It is all that
// go-sequential, go-threads and go-goroutines differ in. (go-eventloop, which
// cannot wait in the middle of a call, follows the same rules from without.)
type dialer func(f *fetch, deadline time.Time) (conn, error)

// browse is one worker: it takes page after page and fetches each with the
// shared client, over one connection as long as that can be kept.
func (f *fetch) browse(dial dialer) {
	w := worker{fetch: f, dial: dial}
	defer w.hangUp()
	for {
		i, page, ok := f.take()
		if !ok {
			return
		}
		list, err := w.get(page)
		f.finish(i, page, list, err)
	}
}

// worker is the state of one task: its connection, and buffers that it keeps
// from page to page.
type worker struct {
	fetch  *fetch
	dial   dialer
	conn   conn // nil when there is none to reuse
	client http1.Client
	body   bytes.Reader
}

// get fetches and parses one page. A kept connection that the origin has
// closed in the meantime is no failure: the request is sent once more, on a
// new one, as every browser and net/http do.
func (w *worker) get(page Page) ([]Departure, error) {
	deadline := w.fetch.deadline()
	kept := w.conn != nil
	response, err := w.exchange(page, deadline)
	if kept && err != nil && isStale(response, err) {
		response, err = w.exchange(page, deadline)
	}
	if err != nil {
		return nil, err
	}
	return parseResponse(response, &w.body, page)
}

// isStale reports whether a request failed because its kept connection had
// ended before it.
func isStale(response *http1.Response, err error) bool {
	return !response.Started() && Cause(err) == CauseReset
}

// parseResponse reads a page out of a complete response, through a reader that
// the caller keeps.
func parseResponse(response *http1.Response, body *bytes.Reader, page Page) ([]Departure, error) {
	if response.Status() != 200 {
		return nil, &StatusError{Status: response.Status()}
	}
	body.Reset(response.Body())
	return ParsePage(body, page)
}

// request asks for a page.
func (f *fetch) request(page Page) http1.Request {
	return http1.Request{Target: page.Target(), Host: f.host, Close: !f.cfg.KeepAlive}
}

// keeps reports whether the connection that brought a complete response is
// used again.
func (f *fetch) keeps(response *http1.Response) bool {
	return f.cfg.KeepAlive && response.KeepAlive()
}

// exchange does one request and response, opening a connection if there is
// none and closing it if it cannot be used again. The response is never nil.
func (w *worker) exchange(page Page, deadline time.Time) (*http1.Response, error) {
	if w.conn == nil {
		c, err := w.dial(w.fetch, deadline)
		if err != nil {
			return new(http1.Response), fmt.Errorf("dial origin: %w", err)
		}
		w.conn = c
	}
	if err := w.conn.SetDeadline(deadline); err != nil {
		return new(http1.Response), errors.Join(fmt.Errorf("set deadline: %w", err), w.hangUp())
	}
	response, err := w.client.Do(w.conn, w.fetch.request(page))
	if err != nil || !w.fetch.keeps(response) {
		// The answer is complete, or the error is already known: a failed
		// close would add nothing.
		_ = w.hangUp()
	}
	return response, err
}

func (w *worker) hangUp() error {
	if w.conn == nil {
		return nil
	}
	err := w.conn.Close()
	w.conn = nil
	return err
}
