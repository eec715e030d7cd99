package origin

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"
)

// TestCounts: 23 connections with 1 to 23 requests each; each must have the
// bytes that its client counted.
func TestCounts(t *testing.T) {
	h := serve(t, func(c *Config) { c.PageBytes = 30_011 })
	dial(t, h).get(anyPage) // before the trial: in no count
	begin(t, h, 0)
	clients := make([]*rawClient, 23)
	var all sync.WaitGroup
	for i := range clients {
		clients[i] = dial(t, h)
		all.Go(func() {
			for range i + 1 {
				if status, body := clients[i].get(anyPage); status != 200 || len(body) != 30_011 {
					t.Errorf("status %d, %d bytes", status, len(body))
				}
			}
		})
	}
	all.Wait()
	s := stats(t, h)
	if s.Requests != 276 || s.Responses != 276 || s.Status["200"] != 276 || s.InFlight != 0 || s.Strangers != 0 || len(s.Connections) != 23 {
		t.Errorf("%+v", s)
	}
	if s.InFlightPeak < 1 || s.InFlightPeak > 23 || s.CPUNS <= 0 || s.Duration <= 0 || s.Missing != "" {
		t.Errorf("%d in flight, %d ns CPU, missing %q", s.InFlightPeak, s.CPUNS, s.Missing)
	}
	counted := make(map[int]Connection)
	for _, c := range s.Connections {
		counted[c.Port] = c
	}
	for i, c := range clients {
		want := Connection{Port: c.port(), In: c.in, Out: c.out, Requests: int64(i + 1)}
		if got := counted[c.port()]; got != want {
			t.Errorf("client %d: got %+v, want %+v", i, got, want)
		}
	}
}

// TestNeverTwoInFlight: a client that asks again, on a new connection, as soon
// as it has the last byte of an answer is one request in flight; and the
// counts are complete as soon as it has that byte.
func TestNeverTwoInFlight(t *testing.T) {
	for _, size := range []int{MinPageBytes, DefaultPageBytes} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			h := serve(t, func(c *Config) { c.PageBytes = size })
			begin(t, h, 0)
			for i := range 97 {
				dial(t, h).get(anyPage)
				if i%10 == 0 {
					if s := stats(t, h); s.Responses != int64(i+1) {
						t.Fatalf("%d responses, want %d", s.Responses, i+1)
					}
				}
			}
			if s := stats(t, h); s.InFlightPeak != 1 || s.Requests != 97 || len(s.Connections) != 97 {
				t.Errorf("peak %d, %d requests, %d connections", s.InFlightPeak, s.Requests, len(s.Connections))
			}
		})
	}
}

// TestInFlightUntilTheBody: a client that does not read its answer has its
// request in flight, once the kernel's buffers are full.
func TestInFlightUntilTheBody(t *testing.T) {
	h := serve(t, func(c *Config) { c.PageBytes = MaxPageBytes })
	begin(t, h, 0)
	c := dial(t, h)
	c.send("GET " + anyPage + " HTTP/1.1\r\nHost: h\r\n\r\n")
	first := make([]byte, 1)
	if _, err := io.ReadFull(c.answers, first); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if s := stats(t, h); s.InFlight != 1 || s.Requests != 1 || s.Responses != 0 {
		t.Errorf("unread: %d in flight, %d responses", s.InFlight, s.Responses)
	}
	if err := c.answers.UnreadByte(); err != nil {
		t.Fatal(err)
	}
	if _, body := c.receive("GET"); len(body) != MaxPageBytes {
		t.Errorf("body of %d bytes", len(body))
	}
	if s := stats(t, h); s.InFlight != 0 || s.Responses != 1 || s.InFlightPeak != 1 || s.Connections[0].Out != c.out {
		t.Errorf("read: %+v, client read %d", s, c.out)
	}
}

// TestGoneClient: who goes away in the middle is not in flight for ever.
func TestGoneClient(t *testing.T) {
	h := serve(t, func(c *Config) { c.Latency = time.Hour })
	begin(t, h, 0)
	c := dial(t, h)
	c.send("GET " + anyPage + " HTTP/1.1\r\nHost: h\r\n\r\n")
	waitFor(t, func() bool { return stats(t, h).InFlight == 1 })
	c.conn.Close()
	waitFor(t, func() bool { return stats(t, h).InFlight == 0 })
	if s := stats(t, h); s.Requests != 1 || s.Responses != 0 || s.InFlightPeak != 1 {
		t.Errorf("%+v", s)
	}
}

func waitFor(t testing.TB, true func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("did not come true in 10 s")
		}
	}
}

// TestOtherAnswers: everything that is not a page is answered and counted too.
func TestOtherAnswers(t *testing.T) {
	h := serve(t, nil)
	begin(t, h, 0)
	c := dial(t, h)
	for target, want := range map[string]int{
		"/": 404, "/prices": 400, "/prices?from=a&to=b&date=2018-02-30": 400,
		"/prices?from=a%3Cb&to=b&date=2018-03-01": 400, "/favicon.ico": 404, anyPage: 200,
	} {
		if got, _ := c.get(target); got != want {
			t.Errorf("%s: status %d, want %d", target, got, want)
		}
	}
	c.send("HEAD " + anyPage + " HTTP/1.1\r\nHost: h\r\n\r\n")
	if status, body := c.receive("HEAD"); status != 200 || len(body) != 0 {
		t.Errorf("HEAD: status %d, %d bytes", status, len(body))
	}
	c.send("DELETE " + anyPage + " HTTP/1.1\r\nHost: h\r\n\r\n")
	if status, _ := c.receive("DELETE"); status != 405 {
		t.Errorf("DELETE: status %d", status)
	}
	s := stats(t, h)
	if s.Requests != 8 || s.Responses != 8 || s.Status["200"] != 2 || s.Status["400"] != 3 || s.Status["404"] != 2 || s.Status["405"] != 1 || s.InFlightPeak != 1 {
		t.Errorf("%+v", s)
	}
	if got, want := s.Connections[0], (Connection{Port: c.port(), In: c.in, Out: c.out, Requests: 8}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestStrangers: connections from before a trial are told apart.
func TestStrangers(t *testing.T) {
	h := serve(t, nil)
	begin(t, h, 0)
	old := dial(t, h)
	old.get(anyPage)
	begin(t, h, 0)
	for range 3 {
		if status, _ := old.get(anyPage); status != 200 {
			t.Errorf("status %d", status)
		}
	}
	dial(t, h).get(anyPage)
	if s := stats(t, h); s.Strangers != 3 || s.Requests != 1 || len(s.Connections) != 1 {
		t.Errorf("%+v", s)
	}
}

// TestConnectionListIsBounded with a list that is nearly full, since 100,000
// connections would take too long.
func TestConnectionListIsBounded(t *testing.T) {
	tr := newTrial(0, 0)
	tr.conns = make([]*conn, maxConnections-2)
	for i := range tr.conns {
		tr.conns[i] = &conn{trial: tr}
	}
	for i := range 5 {
		c := &conn{trial: tr}
		tr.accepted(c)
		if i == 4 {
			tr.isControl(c)
			tr.isControl(c)
		}
	}
	if s := tr.stats(); len(s.Connections) != maxConnections || s.Dropped != 2 {
		t.Errorf("%d connections, %d dropped, want %d and 2", len(s.Connections), s.Dropped, maxConnections)
	}
}
