package http1

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// stricter are the rules by which this package rejects what net/http accepts.
func stricter(err error) bool {
	var e *ResponseError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Rule {
	case ruleStatusLine, ruleVersion, ruleSwitch, ruleFold, ruleNameSpace, ruleOldChunked, ruleTrailerLine,
		ruleHeaderSize, ruleBodySize, ruleChunkLine:
		return true
	}
	return false
}

// netHTTP reads a response with the standard library, interim ones skipped as
// its Transport does.
func netHTTP(method, input string) (o outcome, err error) {
	// A large buffer, because net/http limits trailers by it.
	r := bufio.NewReaderSize(strings.NewReader(input), 1<<20)
	for {
		response, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return o, err
		}
		if response.StatusCode/100 == 1 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		body, err := io.ReadAll(response.Body)
		return outcome{status: response.StatusCode, body: string(body), keep: !response.Close}, err
	}
}

func FuzzResponse(f *testing.F) {
	for _, head := range []bool{false, true} {
		for _, seed := range []string{
			ok + "Content-Length: 5\r\n\r\nhello",
			ok + "Transfer-Encoding: chunked\r\nTrailer: A\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n",
			"HTTP/1.0 200 OK\r\nConnection: keep-alive, x\r\n\r\nuntil the end",
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\nContent-Length: 00\n\n",
			ok + "Content-Length: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab",
			ok + "A : b\r\n c\r\n\r\n",
			"HTTP/1.1 +20\r\nContent-Length:\r\n\r\n",
		} {
			f.Add(seed, head, uint64(1))
		}
	}
	f.Fuzz(func(t *testing.T, input string, head bool, seed uint64) {
		if len(input) > 4<<10 {
			return
		}
		method := "GET"
		if head {
			method = "HEAD"
		}
		var ours outcome
		if len(input) < 200 {
			ours = everySplit(t, method, input, Limits{})
		} else {
			ours = read(method, input, Limits{})
		}
		random := rand.New(rand.NewPCG(seed, 1))
		var cuts []int
		for at := 0; at < len(input); at += 1 + random.IntN(50) {
			cuts = append(cuts, at)
		}
		if got := read(method, input, Limits{}, cuts...); got != ours {
			t.Fatalf("cut at %v: %+v, whole: %+v", cuts, got, ours)
		}
		compare(t, method, input, ours)
	})
}

// compare holds ours against net/http's reading: the same decision, and if
// accepted the same response, except where this package is stricter on
// purpose, and where net/http rejects a Trailer field that names a framing
// field: here that field is not looked at, since trailers are dropped.
func compare(t *testing.T, method, input string, ours outcome) {
	t.Helper()
	theirs, err := netHTTP(method, input)
	if ours.err == "" {
		if err != nil && strings.Contains(err.Error(), "bad trailer key") {
			return
		}
		if ours.took = 0; err != nil || ours != theirs {
			t.Fatalf("got %+v\nnet/http: %+v, %v", ours, theirs, err)
		}
		return
	}
	if err != nil {
		return
	}
	var r Response
	r.Reset(method, Limits{})
	_, _, ourErr := r.Feed([]byte(input))
	if !stricter(ourErr) {
		t.Fatalf("rejected by rule %q; net/http: %+v", ours.err, theirs)
	}
}
