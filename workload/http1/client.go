package http1

import (
	"fmt"
	"io"
)

// ReadSize is the buffer, in bytes, for everything but a counted body, which is
// read straight into place. It is also most of what a task in flight keeps on
// the heap, so it is no larger than a price page's header needs.
const ReadSize = 4 << 10

// maxEmptyReads ends a reader that gives neither bytes nor an error.
const maxEmptyReads = 100

// Client does one request after another over connections that its caller
// opens, waits on and closes. Its buffers are kept from request to request:
// in the steady state a request allocates nothing. The zero value is ready.
// It is not safe for concurrent use.
type Client struct {
	Limits Limits

	in       []byte
	out      []byte
	response Response
}

// Do writes the request to rw and reads the response to its end. The result
// is valid until the next Do. Whether the connection can be used again is
// told by [Response.KeepAlive]; after an error it cannot. Response.Started
// of the result, never nil, tells whether the server had begun to answer.
func (c *Client) Do(rw io.ReadWriter, q Request) (*Response, error) {
	r := &c.response
	r.Reset(q.Method, c.Limits)
	out, err := AppendRequest(c.out[:0], q)
	c.out = out[:0]
	if err != nil {
		return r, err
	}
	if _, err := rw.Write(out); err != nil {
		return r, fmt.Errorf("write request: %w", err)
	}
	if err := c.read(rw); err != nil {
		return r, fmt.Errorf("read response: %w", err)
	}
	return r, nil
}

func (c *Client) read(from io.Reader) error {
	if c.in == nil {
		c.in = make([]byte, ReadSize)
	}
	for empty := 0; empty < maxEmptyReads; empty++ {
		n, done, err := c.response.ReadOnce(from, c.in)
		switch {
		case done:
			return nil
		case err != nil:
			return err
		case n > 0:
			empty = 0
		}
	}
	return io.ErrNoProgress
}
