package http1

import (
	"bytes"
	"io"
	"slices"
)

// Limits bounds what a response may make its reader keep. Zero fields take
// the defaults.
type Limits struct {
	Header int // bytes before the body, interim (1xx) responses included; trailers again as many. Default 64 KiB.
	Body   int // bytes of body, decoded. Default 64 MiB.
}

const (
	defaultHeader = 64 << 10
	defaultBody   = 64 << 20
	maxChunkLine  = 256     // bytes of one chunk-size line, extensions included
	maxExtensions = 4 << 10 // bytes of chunk extensions in one response
	firstBody     = 128 << 10
)

func (l Limits) orDefaults() Limits {
	if l.Header <= 0 {
		l.Header = defaultHeader
	}
	if l.Body <= 0 {
		l.Body = defaultBody
	}
	return l
}

// state is what the next byte belongs to.
type state uint8

const (
	inStatus state = iota
	inHeader
	inLength     // body counted by Content-Length
	inChunkSize  // line before a chunk
	inChunk      // data of a chunk
	inChunkEnd   // CRLF after it
	inTrailer    // fields after the last chunk
	inUntilClose // body ended by the connection
	complete
	failed
)

// Response is the answer to one request, read by a state machine. The zero
// value is not ready: call [Response.Reset] before each response. Its buffers
// are kept from one response to the next, so Body is valid until then only.
// It is not safe for concurrent use.
type Response struct {
	limits Limits
	method string

	state   state
	err     error
	started bool
	line    []byte // a line that began in an earlier Feed
	spent   int    // bytes of header (or of trailer) so far

	head       head
	left       int // bytes to come of a counted body or chunk
	extensions int // bytes of chunk extensions so far
	body       []byte
}

// Reset makes r ready for the answer to a request of the given method ("" is
// GET), keeping its buffers.
func (r *Response) Reset(method string, limits Limits) {
	*r = Response{limits: limits.orDefaults(), method: method, line: r.line[:0], body: r.body[:0]}
}

// Status returns the status code, 0 until the status line was read.
func (r *Response) Status() int { return r.head.status }

// Body returns the bytes of body so far, all of them once the response is
// done. They are overwritten after the next Reset.
func (r *Response) Body() []byte { return r.body }

// Started reports whether any byte of the response has been fed.
func (r *Response) Started() bool { return r.started }

// KeepAlive reports whether the connection may carry another request: the
// response is done, its end did not depend on the connection's, and the
// server did not announce that it closes.
func (r *Response) KeepAlive() bool { return r.state == complete && !r.head.closes() }

// Feed consumes bytes of the response from p, in whatever pieces they come.
// It returns how many it took, and whether the response is now complete; then
// the rest of p belongs to no request. After an error it returns that error
// for ever.
func (r *Response) Feed(p []byte) (n int, done bool, err error) {
	if len(p) > 0 && r.state == complete {
		return 0, true, broken(ErrMalformed, ruleAfterEnd, p)
	}
	r.started = r.started || len(p) > 0
	for n < len(p) && r.state != complete {
		if r.err != nil {
			return n, false, r.err
		}
		took, err := r.step(p[n:])
		n += took
		if err != nil {
			r.state, r.err = failed, err
		}
	}
	return n, r.state == complete, r.err
}

// step gives p to the current state, which takes at least one byte of it or
// fails.
func (r *Response) step(p []byte) (int, error) {
	switch r.state {
	case inLength, inChunk:
		n := min(len(p), r.left)
		r.body = append(r.room(n), p[:n]...)
		r.took(n)
		return n, nil
	case inUntilClose:
		if len(r.body)+len(p) > r.limits.Body {
			return 0, broken(ErrTooLarge, ruleBodySize, nil)
		}
		r.body = append(r.body, p...)
		return len(p), nil
	}
	return r.stepLine(p)
}

// stepLine collects a line up to its LF, from this call's bytes alone when it
// can, and hands it over with its line end.
func (r *Response) stepLine(p []byte) (int, error) {
	n := bytes.IndexByte(p, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(p)
	}
	if err := r.spend(n); err != nil {
		return 0, err
	}
	line := p[:n]
	if len(r.line) > 0 || !whole {
		r.line = append(r.line, line...)
		line = r.line
	}
	if !whole {
		return n, nil
	}
	err := r.takeLine(line)
	r.line = r.line[:0]
	return n, err
}

// spend counts n bytes against the limit of the current kind of line.
func (r *Response) spend(n int) error {
	switch r.state {
	case inChunkSize, inChunkEnd:
		if len(r.line)+n > maxChunkLine {
			return broken(ErrTooLarge, ruleChunkLine, nil)
		}
		return nil
	}
	if r.spent += n; r.spent > r.limits.Header {
		return broken(ErrTooLarge, ruleHeaderSize, nil)
	}
	return nil
}

func (r *Response) takeLine(line []byte) error {
	switch r.state {
	case inStatus:
		if err := r.head.parseStatus(trimEnd(line)); err != nil {
			return err
		}
		r.state = inHeader
		return nil
	case inHeader:
		if line = trimEnd(line); len(line) == 0 {
			return r.headerEnds()
		}
		return r.head.parseField(line)
	case inChunkSize:
		return r.chunkBegins(line)
	case inChunkEnd:
		if string(line) != "\r\n" {
			return broken(ErrMalformed, ruleChunkEnd, line)
		}
		r.state = inChunkSize
		return nil
	default:
		return r.trailerLine(line)
	}
}

// headerEnds decides from the header how the body is told to end (RFC 9112
// section 6.3).
func (r *Response) headerEnds() error {
	if err := r.head.check(); err != nil {
		return err
	}
	h := &r.head
	switch {
	case h.status < 200:
		r.head, r.state = head{}, inStatus
	case r.method == "HEAD" || h.status == 204 || h.status == 304:
		r.state = complete
	case h.chunked:
		r.state = inChunkSize
	case h.hasLength:
		if h.length > int64(r.limits.Body) {
			return broken(ErrTooLarge, ruleBodySize, nil)
		}
		r.left, r.state = int(h.length), inLength
		r.took(0)
	default:
		h.untilClose, r.state = true, inUntilClose
	}
	return nil
}

// took counts n bytes of a counted body or chunk as stored.
func (r *Response) took(n int) {
	r.left -= n
	switch {
	case r.left > 0:
	case r.state == inChunk:
		r.state = inChunkEnd
	default:
		r.state = complete
	}
}

// room returns the body with capacity for n more bytes. A peer's announced
// length is believed only as far as it has kept its word: the buffer at most
// doubles, from 128 KiB.
func (r *Response) room(n int) []byte {
	if cap(r.body)-len(r.body) >= n {
		return r.body
	}
	ahead := min(r.left, max(n, len(r.body), firstBody))
	return slices.Grow(r.body, ahead)
}

// Space returns where the next bytes of the body can be read into, sparing a
// copy, while a body counted by Content-Length is coming; otherwise nil. What
// was read there is made known by [Response.Filled].
func (r *Response) Space() []byte {
	if r.state != inLength {
		return nil
	}
	r.body = r.room(1)
	end := min(cap(r.body), len(r.body)+r.left)
	return r.body[len(r.body):end:end]
}

// Filled says that the first n bytes of what Space returned hold body, and
// reports whether the response is complete. n must not exceed that space.
func (r *Response) Filled(n int) (done bool) {
	r.body = r.body[:len(r.body)+n]
	r.took(n)
	return r.state == complete
}

// ReadOnce takes the bytes of one Read, straight into the body where that is
// counted and otherwise through buf, whose contents mean nothing afterwards. It
// returns how many came and whether the response is now complete; the end of
// the connection is [Response.End]'s. Any other error of from is passed on as
// it is, and reading may go on after it. Bytes beyond the end of the response,
// and an error that comes with its last byte, leave the response good and the
// connection unfit for another.
func (r *Response) ReadOnce(from io.Reader, buf []byte) (n int, done bool, err error) {
	if space := r.Space(); space != nil {
		n, err = from.Read(space)
		done = n > 0 && r.Filled(n)
	} else {
		n, err = from.Read(buf)
		took, complete, bad := r.Feed(buf[:n])
		if bad != nil {
			return n, false, bad
		}
		done = complete
		r.head.saysClose = r.head.saysClose || took < n
	}
	switch {
	case done:
		r.head.saysClose = r.head.saysClose || err != nil
		return n, true, nil
	case err == io.EOF:
		err = r.End()
		return n, err == nil, err
	}
	return n, false, err
}

// End says that the connection has ended. It completes a body that ends with
// its connection; otherwise the response was cut: io.EOF before its first
// byte, io.ErrUnexpectedEOF after.
func (r *Response) End() error {
	switch {
	case r.err != nil:
		return r.err
	case r.state == complete:
		return nil
	case r.state == inUntilClose:
		r.state = complete
		return nil
	case !r.started:
		r.err = io.EOF
	default:
		r.err = io.ErrUnexpectedEOF
	}
	r.state = failed
	return r.err
}

// trimEnd takes one LF or CRLF off a line.
func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}
