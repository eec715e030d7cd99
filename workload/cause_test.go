package workload

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// listen serves raw connections: talk is called after each request on them,
// and its connection is closed when it returns false.
func listen(t *testing.T, talk func(*net.TCPConn) bool) (url string) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				requests := bufio.NewReader(c)
				for {
					if _, err := http.ReadRequest(requests); err != nil || !talk(c) {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// says answers every request with a text and keeps the connection.
func says(text string) func(*net.TCPConn) bool {
	return func(c *net.TCPConn) bool {
		_, err := io.WriteString(c, text)
		return err == nil
	}
}

// outcome is what became of a model's work.
type outcome struct {
	units    int64
	failures map[string]Failure
	endNS    int64
}

// runHere runs a model inside the test's own process, where it can.
func runHere(t *testing.T, m Model, cfg Config) outcome {
	t.Helper()
	cfg.Concurrency = m.Concurrency(cfg.Concurrency)
	if m.Python() {
		r := runModel(t, m.Name, cfg)
		return outcome{r.Units, r.Failures, r.EndNS}
	}
	f, err := newFetch(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	m.run(f)
	return outcome{f.units(), f.failures, f.endNS}
}

func TestCauses(t *testing.T) {
	const header = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
	hangUp := func(text string) func(*net.TCPConn) bool {
		return func(c *net.TCPConn) bool { says(text)(c); return false }
	}
	for _, c := range []struct {
		name, cause string
		talk        func(*net.TCPConn) bool
	}{
		{"nobody listens", CauseRefused, nil},
		{"reset before the answer", CauseReset, func(c *net.TCPConn) bool { c.SetLinger(0); return false }},
		{"reset in the answer", CauseReset, func(c *net.TCPConn) bool {
			says(header)(c)
			time.Sleep(20 * time.Millisecond) // or the reset would overtake it
			c.SetLinger(0)
			return false
		}},
		{"closed before the answer", CauseReset, hangUp("")},
		{"never answers", CauseTimeout, func(*net.TCPConn) bool { time.Sleep(time.Second); return false }},
		{"answers byte by byte", CauseTimeout, func(c *net.TCPConn) bool {
			for _, b := range header + strings.Repeat("x", 100) {
				if !says(string(b))(c) {
					return false
				}
				time.Sleep(5 * time.Millisecond)
			}
			return true
		}},
		{"503", CauseStatus, says("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")},
		{"redirect", CauseStatus, says("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")},
		{"cut header", CauseCut, hangUp("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n")},
		{"cut body", CauseCut, hangUp(header + "<html>")},
		{"another page", CauseContent, says("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")},
		{"not HTTP", CauseOther, hangUp("SSH-2.0-OpenSSH_9.2\r\n")},
	} {
		for _, m := range Models() {
			t.Run(c.name+"/"+m.Name, func(t *testing.T) {
				t.Parallel()
				url := "http://127.0.0.1:1" // tcpmux: reserved, and used by nobody
				if c.talk != nil {
					url = listen(t, c.talk)
				}
				cfg := Config{URL: url, Requests: 3, Concurrency: 2, KeepAlive: true, TimeoutNS: int64(10 * time.Second)}
				if c.cause == CauseTimeout {
					cfg.TimeoutNS = int64(150 * time.Millisecond)
				}
				if m.Python() {
					needModel(t, m)
				}
				begin := time.Now()
				f := runHere(t, m, cfg)
				if got := f.failures[c.cause]; len(f.failures) != 1 || got.Count != 3 || got.First == "" {
					t.Errorf("failures %+v, want 3 of %q", f.failures, c.cause)
				}
				if took := time.Since(begin); c.cause == CauseTimeout && (took < 150*time.Millisecond || took > 25*time.Second) { // DefaultTimeout is 30 s; a busy machine starts Python slowly
					t.Errorf("time-outs of 150 ms took %v", took)
				}
				if f.units != 0 || f.endNS == 0 {
					t.Errorf("%d units, ended at %d", f.units, f.endNS)
				}
			})
		}
	}
}

// TestKeptConnectionClosed: an origin may close a kept connection between two
// requests; that is nobody's failure.
func TestKeptConnectionClosed(t *testing.T) {
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			var served atomic.Int64
			url := listen(t, func(c *net.TCPConn) bool {
				says(pageFor(int(served.Add(1)) - 1))(c)
				return false // though the answer did not say so
			})
			f := runHere(t, m, Config{URL: url, Requests: 5, Concurrency: 1, KeepAlive: true})
			if f.units != 5 {
				t.Errorf("%d units, failures %+v", f.units, f.failures)
			}
		})
	}
}

// TestAnswersInPieces: a response means the same however it is cut on its way and
// however its end is told.
func TestAnswersInPieces(t *testing.T) {
	const chunked = "Transfer-Encoding: chunked"
	for _, framing := range []string{"Content-Length: %d", chunked, "Connection: close"} {
		for _, m := range Models() {
			t.Run(framing+"/"+m.Name, func(t *testing.T) {
				t.Parallel()
				var served atomic.Int64
				url := listen(t, func(c *net.TCPConn) bool {
					i := int(served.Add(1)) - 1
					pieces := rand.New(rand.NewPCG(23, uint64(i)))
					_, body, _ := strings.Cut(pageFor(i), "\r\n\r\n")
					header := framing
					switch framing {
					case chunked:
						body = fmt.Sprintf("%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", 9, body[:9], len(body)-9, body[9:])
					case "Content-Length: %d":
						header = fmt.Sprintf(framing, len(body))
					}
					for text := "HTTP/1.1 200 OK\r\n" + header + "\r\n\r\n" + body; text != ""; {
						n := min(1+pieces.IntN(60), len(text))
						if !says(text[:n])(c) {
							return false
						}
						text = text[n:]
						time.Sleep(100 * time.Microsecond) // a segment of its own
					}
					return framing != "Connection: close"
				})
				f := runHere(t, m, Config{URL: url, Requests: 23, Concurrency: 1, KeepAlive: true})
				if f.units != 23 {
					t.Errorf("%d units, failures %+v", f.units, f.failures)
				}
			})
		}
	}
}

// pageFor is a response with page i and no departures.
func pageFor(i int) string {
	p := PageAt(i)
	body := fmt.Sprintf(`<main data-from="%s" data-to="%s" data-date="%s" data-departures="0"></main>`, p.From, p.To, p.Date)
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func TestFirstErrorIsBounded(t *testing.T) {
	f := &fetch{failures: make(map[string]Failure)}
	f.fail(errors.New(strings.Repeat("é", 400)))
	f.fail(errors.New("later"))
	if got := f.failures[CauseOther]; got.Count != 2 || len(got.First) > maxErrorText || !strings.HasPrefix(got.First, "éé") {
		t.Errorf("%d, %q", got.Count, got.First)
	}
}
