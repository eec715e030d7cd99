package http1

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// wire is a connection whose peer's words are known in advance.
type wire struct {
	io.Reader
	wrote bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) { return w.wrote.Write(p) }

func TestAppendRequest(t *testing.T) {
	got, err := AppendRequest([]byte("x"), Request{Target: "/prices?a=b", Host: "h:1", Close: true})
	want := "xGET /prices?a=b HTTP/1.1\r\nHost: h:1\r\nUser-Agent: weft\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, q := range []Request{
		{Target: "", Host: "h"}, {Target: "x", Host: "h"}, {Target: "/ x", Host: "h"}, {Target: "/\r\nA: b", Host: "h"},
		{Target: "/é", Host: "h"}, {Target: "/", Host: ""}, {Target: "/", Host: "h\n"}, {Method: "GET /", Target: "/", Host: "h"},
	} {
		if got, err := AppendRequest([]byte("x"), q); !errors.Is(err, ErrRequest) || string(got) != "x" {
			t.Errorf("%+v: got %q, %v", q, got, err)
		}
	}
}

func TestClient(t *testing.T) {
	const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	long := ok + "Content-Length: 200000\r\n\r\n" + strings.Repeat("y", 200_000)
	readers := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r }, "one byte": iotest.OneByteReader,
		"half": iotest.HalfReader, "error with data": iotest.DataErrReader,
	}
	for name, reader := range readers {
		t.Run(name, func(t *testing.T) {
			var c Client
			// Each response alone, because a client may read past its end.
			for _, input := range []string{chunked, long, ok + "\r\nrest", ok + "Content-Length: 0\r\n\r\n", chunked} {
				w := &wire{Reader: reader(strings.NewReader(input))}
				r, err := c.Do(w, Request{Target: "/", Host: "h"})
				if err != nil {
					t.Fatal(err)
				}
				if want := read("", input, Limits{}); string(r.Body()) != want.body || r.Status() != 200 {
					t.Errorf("body of %d bytes, want %d", len(r.Body()), len(want.body))
				}
			}
		})
	}
}

func TestClientErrors(t *testing.T) {
	broken := errors.New("broken wire")
	for _, c := range []struct {
		name    string
		from    io.Reader
		want    error
		started bool
	}{
		{"nothing", strings.NewReader(""), io.EOF, false},
		{"cut header", strings.NewReader("HTTP/1.1 200"), io.ErrUnexpectedEOF, true},
		{"cut body", strings.NewReader(ok + "Content-Length: 2\r\n\r\na"), io.ErrUnexpectedEOF, true},
		{"wire", io.MultiReader(strings.NewReader(ok), iotest.ErrReader(broken)), broken, true},
		{"rubbish", strings.NewReader("\r\n"), ErrMalformed, true},
		{"no progress", emptyReader{}, io.ErrNoProgress, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var client Client
			r, err := client.Do(&wire{Reader: c.from}, Request{Target: "/", Host: "h"})
			if !errors.Is(err, c.want) || r.Started() != c.started || r.KeepAlive() {
				t.Errorf("got %v, started %v, keep-alive %v", err, r.Started(), r.KeepAlive())
			}
		})
	}
	var client Client
	if _, err := client.Do(&wire{}, Request{}); !errors.Is(err, ErrRequest) {
		t.Errorf("got %v", err)
	}
	r, err := client.Do(&wire{Reader: strings.NewReader(ok + "Content-Length: 1\r\n\r\nabc")}, Request{Target: "/", Host: "h"})
	if err != nil || r.KeepAlive() {
		t.Errorf("a connection with bytes nobody asked for is kept: %v", err)
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

// replay answers every request with the same bytes, without allocating.
type replay struct {
	answer []byte
	at     int
}

func (r *replay) Write(p []byte) (int, error) { r.at = 0; return len(p), nil }

func (r *replay) Read(p []byte) (int, error) {
	n := copy(p, r.answer[r.at:])
	r.at += n
	return n, nil
}

func page(size int) *replay {
	return &replay{answer: []byte(ok + "Content-Type: text/html\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n" + strings.Repeat("z", size))}
}

// TestClientAllocatesNothing: the cost of a request must be that of waiting.
func TestClientAllocatesNothing(t *testing.T) {
	var c Client
	w := page(67_700)
	got := testing.AllocsPerRun(100, func() {
		if r, err := c.Do(w, Request{Target: "/prices?from=kyiv", Host: "127.0.0.1:1"}); err != nil || len(r.Body()) != 67_700 || !r.KeepAlive() {
			t.Fatal(err)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations a request", got)
	}
}

func BenchmarkClient(b *testing.B) {
	for _, size := range []int{1 << 10, 67_700} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			var c Client
			w := page(size)
			b.ReportAllocs()
			b.SetBytes(int64(len(w.answer)))
			for b.Loop() {
				if _, err := c.Do(w, Request{Target: "/prices?from=kyiv&to=lviv&date=2018-03-01", Host: "127.0.0.1:1"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkResponseChunked(b *testing.B) {
	input := []byte(ok + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat("z", 0x1000)+"\r\n", 16) + "0\r\n\r\n")
	var r Response
	b.ReportAllocs()
	b.SetBytes(int64(len(input)))
	for b.Loop() {
		r.Reset("GET", Limits{})
		if _, done, err := r.Feed(input); !done || err != nil {
			b.Fatal(err)
		}
	}
}
