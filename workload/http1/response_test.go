package http1

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// outcome is everything that a reader of a response can see.
type outcome struct {
	status int
	body   string
	keep   bool
	took   int // bytes of input that were the response's
	err    string
}

// read feeds input in pieces that end at the given offsets, then ends the
// connection.
func read(method, input string, limits Limits, cuts ...int) outcome {
	var r Response
	r.Reset(method, limits)
	took, done, from := 0, false, 0
	var err error
	for _, to := range append(cuts, len(input)) {
		if to < from || done || err != nil {
			continue
		}
		var n int
		n, done, err = r.Feed([]byte(input[from:to]))
		took += n
		from = to
	}
	if err == nil && !done {
		err = r.End()
	}
	o := outcome{status: r.Status(), body: string(r.Body()), keep: r.KeepAlive(), took: took}
	if err != nil {
		// How far it came depends on the pieces, what is wrong does not.
		o = outcome{err: err.Error()}
		var rule *ResponseError
		if errors.As(err, &rule) {
			o.err = rule.Rule
		}
	}
	return o
}

// everySplit checks that the pieces make no difference.
func everySplit(t testing.TB, method, input string, limits Limits) outcome {
	t.Helper()
	want := read(method, input, limits)
	every := make([]int, len(input))
	for i := range every {
		every[i] = i
		if got := read(method, input, limits, i); got != want {
			t.Fatalf("split at %d: %+v, whole: %+v", i, got, want)
		}
	}
	if got := read(method, input, limits, every...); got != want {
		t.Fatalf("byte by byte: %+v, whole: %+v", got, want)
	}
	return want
}

const ok = "HTTP/1.1 200 OK\r\n"

func TestResponse(t *testing.T) {
	for _, c := range []struct {
		name, method, input string
		want                outcome
	}{
		{"counted", "", ok + "Content-Length: 5\r\n\r\nhello", outcome{200, "hello", true, 0, ""}},
		{"no reason", "", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", outcome{200, "", true, 0, ""}},
		{"blank reason", "", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", outcome{200, "", true, 0, ""}},
		{"odd case and blanks", "", ok + "cOnTeNt-lEnGtH: \t2 \r\n\r\nab", outcome{200, "ab", true, 0, ""}},
		{"lines end in LF", "", "HTTP/1.1 404 No\nContent-Length: 2\n\nno", outcome{404, "no", true, 0, ""}},
		{"same length twice", "", ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", outcome{200, "ab", true, 0, ""}},
		{"says close", "", ok + "Connection: x, Close\r\nContent-Length: 1\r\n\r\na", outcome{200, "a", false, 0, ""}},
		{"1.0 closes", "", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", outcome{200, "a", false, 0, ""}},
		{"1.0 keeps", "", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na", outcome{200, "a", true, 0, ""}},
		{"until close", "", ok + "\r\nall of it", outcome{200, "all of it", false, 0, ""}},
		{"until close, empty", "", ok + "\r\n", outcome{200, "", false, 0, ""}},
		{"interim", "", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\nConnection: close\r\n\r\n" + ok + "Content-Length: 1\r\n\r\na", outcome{200, "a", true, 0, ""}},
		{"HEAD", "HEAD", ok + "Content-Length: 999999999999\r\n\r\n", outcome{200, "", true, 0, ""}},
		{"204", "", "HTTP/1.1 204 None\r\nContent-Length: 7\r\n\r\n", outcome{204, "", true, 0, ""}},
		{"304", "", "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n", outcome{304, "", true, 0, ""}},
		{"chunked", "", ok + "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n001;a=b\r\n!\r\n0\r\n\r\n", outcome{200, "hello!", true, 0, ""}},
		{"trailers", "", ok + "Transfer-Encoding: chunked\r\n\r\nA \t\r\n0123456789\r\n0\r\nSum: 1\r\nX: y\r\n\r\n", outcome{200, "0123456789", true, 0, ""}},
		{"chunked before length", "", ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", outcome{200, "a", true, 0, ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.took = len(c.input)
			if got := everySplit(t, c.method, c.input, Limits{}); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if c.name == "until close" || c.name == "until close, empty" {
				return
			}
			// What follows belongs to nobody.
			if got := everySplit(t, c.method, c.input+"HTTP/1.1", Limits{}); got != c.want {
				t.Errorf("with more after it: %+v, want %+v", got, c.want)
			}
			// Every beginning of it is cut.
			for i := 1; i < len(c.input); i++ {
				if got := read(c.method, c.input[:i], Limits{}); got.err != io.ErrUnexpectedEOF.Error() {
					t.Fatalf("cut at %d: %+v", i, got)
				}
			}
		})
	}
}

func TestResponseRejected(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ name, input, rule string }{
		{"not HTTP", "SSH-2.0-OpenSSH_9\r\n", ruleStatusLine},
		{"empty line", "\r\n", ruleStatusLine},
		{"two blanks", "HTTP/1.1  200 OK\r\n", ruleStatusLine},
		{"signed status", "HTTP/1.1 +20 OK\r\n", ruleStatusLine},
		{"four digits", "HTTP/1.1 2000 OK\r\n", ruleStatusLine},
		{"status 099", "HTTP/1.1 099 No\r\n", ruleStatusLine},
		{"HTTP/2", "HTTP/2.0 200 OK\r\n", ruleVersion},
		{"HTTP/1.2", "HTTP/1.2 200 OK\r\n", ruleVersion},
		{"101", "HTTP/1.1 101 Go\r\n\r\n", ruleSwitch},
		{"folded", ok + "A: b\r\n c\r\n\r\n", ruleFold},
		{"folded first", ok + " A: b\r\n\r\n", ruleFold},
		{"no colon", ok + "Content-Length\r\n\r\n", ruleField},
		{"no name", ok + ": x\r\n\r\n", ruleField},
		{"blank before colon", ok + "Content-Length : 1\r\n\r\na", ruleNameSpace},
		{"control in value", ok + "A: b\x00c\r\n\r\n", ruleField},
		{"CR in value", ok + "A: b\rc\r\n\r\n", ruleField},
		{"negative length", ok + "Content-Length: -1\r\n\r\n", ruleLength},
		{"no length", ok + "Content-Length:\r\n\r\n", ruleLength},
		{"hex length", ok + "Content-Length: 0x10\r\n\r\n", ruleLength},
		{"list of lengths", ok + "Content-Length: 2, 2\r\n\r\nab", ruleLength},
		{"two lengths", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", ruleLength},
		{"two spellings", ok + "Content-Length: 2\r\nContent-Length: 02\r\n\r\nab", ruleLength},
		{"length 2^63", ok + "Content-Length: 9223372036854775808\r\n\r\n", ruleLength},
		{"gzip", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", ruleCoding},
		{"chunked twice", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ruleCoding},
		{"chunked in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ruleOldChunked},
		{"chunk without size", ok + "Transfer-Encoding: chunked\r\n\r\n\r\n", ruleChunkSize},
		{"chunk of -1", ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", ruleChunkSize},
		{"chunk size ends in LF", ok + "Transfer-Encoding: chunked\r\n\r\n1\na\r\n", ruleChunkSize},
		{"17 digits", ok + "Transfer-Encoding: chunked\r\n\r\n00000000000000001\r\na\r\n", ruleChunkSize},
		{"chunk longer than said", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", ruleChunkEnd},
		{"chunk ends in LF", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n", ruleChunkEnd},
		{"trailer ends in LF", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n", ruleTrailerLine},
		{"trailer is no field", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA b\r\n\r\n", ruleField},
		{"huge header", ok + "A: " + long + "\r\n\r\n", ruleHeaderSize},
		{"endless line", long, ruleHeaderSize},
		{"endless interim", strings.Repeat("HTTP/1.1 100 C\r\n\r\n", 20), ruleHeaderSize},
		{"huge trailer", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + long + "\r\n\r\n", ruleHeaderSize},
		{"huge length", ok + "Content-Length: 101\r\n\r\n", ruleBodySize},
		{"huge chunk", ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", ruleBodySize},
		{"huge sum of chunks", ok + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n64\r\n", ruleBodySize},
		{"huge until close", ok + "\r\n" + long, ruleBodySize},
		{"huge extension", ok + "Transfer-Encoding: chunked\r\n\r\n1;" + long + "\r\n", ruleChunkLine},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := everySplit(t, "GET", c.input, Limits{Header: 200, Body: 100})
			if got.err != c.rule {
				t.Errorf("got %+v, want rule %q", got, c.rule)
			}
		})
	}
}

func TestExtensionsAreBounded(t *testing.T) {
	chunk := "1;" + strings.Repeat("x", 200) + "\r\na\r\n"
	input := ok + "Transfer-Encoding: chunked\r\n\r\n"
	few, many := input+strings.Repeat(chunk, 20)+"0\r\n\r\n", input+strings.Repeat(chunk, 21)+"0\r\n\r\n"
	if got := read("", few, Limits{}); got.err != "" || got.body != strings.Repeat("a", 20) {
		t.Errorf("20 extensions: %+v", got)
	}
	if got := read("", many, Limits{}); got.err != ruleChunkLine {
		t.Errorf("21 extensions: %+v", got)
	}
}

func TestResponseErrors(t *testing.T) {
	var r Response
	r.Reset("", Limits{})
	if err := r.End(); err != io.EOF || r.Started() {
		t.Errorf("end before the first byte: %v", err)
	}
	r.Reset("", Limits{})
	_, _, err := r.Feed([]byte("HTTP/1.1 2x0 " + strings.Repeat("é", 99) + "\r\n"))
	if !errors.Is(err, ErrMalformed) || len(err.Error()) > 400 {
		t.Errorf("error %v", err)
	}
	if _, _, again := r.Feed([]byte("HTTP/1.1 200 OK\r\n")); again != err || r.End() != err {
		t.Errorf("a response that failed went on: %v", again)
	}
	for kind, input := range map[error]string{
		ErrUnsupported: "HTTP/2.0 200 OK\r\n",
		ErrTooLarge:    "HTTP/1.1 200 " + strings.Repeat("O", defaultHeader),
	} {
		r.Reset("", Limits{})
		if _, _, err := r.Feed([]byte(input)); !errors.Is(err, kind) {
			t.Errorf("got %v, want %v", err, kind)
		}
	}
	r.Reset("", Limits{})
	input := []byte(ok + "Content-Length: 1\r\n\r\na")
	if n, done, err := r.Feed(input); n != len(input) || !done || err != nil {
		t.Fatal(n, done, err)
	}
	if n, _, err := r.Feed([]byte("b")); n != 0 || !errors.Is(err, ErrMalformed) || string(r.Body()) != "a" {
		t.Errorf("bytes after the end: %d, %v", n, err)
	}
}

// TestBodyIsNotBelieved: a length that is announced takes no memory before its
// bytes have come.
func TestBodyIsNotBelieved(t *testing.T) {
	var r Response
	r.Reset("", Limits{})
	if _, _, err := r.Feed([]byte(ok + "Content-Length: 60000000\r\n\r\nx")); err != nil {
		t.Fatal(err)
	}
	if got := cap(r.body); got > 2*firstBody {
		t.Errorf("one byte of body holds %d bytes", got)
	}
	for range 10 {
		space := r.Space()
		if r.Filled(len(space)); cap(r.body) > 2*len(r.body)+2*firstBody {
			t.Fatalf("%d bytes of body hold %d", len(r.body), cap(r.body))
		}
	}
}

func TestSpace(t *testing.T) {
	body := make([]byte, 300_007)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range body {
		body[i] = byte(random.IntN(256))
	}
	var r Response
	for range 3 { // with a fresh buffer and with used ones
		r.Reset("", Limits{})
		if r.Space() != nil {
			t.Fatal("space before the header")
		}
		r.Feed([]byte(ok + "Content-Length: 300007\r\n\r\n"))
		at, done := 0, false
		for !done {
			space := r.Space()
			if len(space) == 0 {
				t.Fatal("no space for a body that is not complete")
			}
			n := copy(space[:1+random.IntN(len(space))], body[at:])
			at += n
			done = r.Filled(n)
		}
		if string(r.Body()) != string(body) || r.Space() != nil || !r.KeepAlive() {
			t.Fatalf("body of %d bytes differs", len(r.Body()))
		}
	}
}
