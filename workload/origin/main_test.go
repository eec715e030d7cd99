package origin

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be an origin's process, as weft's own binary, and
// a client's.
func TestMain(m *testing.M) {
	if IsChild(os.Args) {
		os.Exit(RunChild(os.Args))
	}
	if url := os.Getenv(clientEnv); url != "" {
		os.Exit(runClient(url))
	}
	os.Exit(m.Run())
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// serve runs an origin inside the test and returns a handle on it.
func serve(t testing.TB, change func(*Config)) *Handle {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Latency, cfg.PageBytes, cfg.Version = 0, 4<<10, "0.test"
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	listens, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- Serve(ctx, cfg, func(a net.Addr) { listens <- a.String() }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	h, err := Connect(within(t, time.Minute), "http://"+<-listens)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func begin(t testing.TB, h *Handle, hold int) {
	t.Helper()
	if err := h.Begin(within(t, time.Minute), 0, hold); err != nil {
		t.Fatal(err)
	}
}

func stats(t testing.TB, h *Handle) Stats {
	t.Helper()
	s, err := h.Stats(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Settled {
		t.Error("stats did not settle")
	}
	return s
}

const anyPage = "/prices?from=kyiv&to=lviv&date=2018-03-01"

// rawClient is a connection that counts its own bytes.
type rawClient struct {
	t       testing.TB
	conn    net.Conn
	answers *bufio.Reader
	in, out int64 // as the origin sees them
}

func dial(t testing.TB, h *Handle) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &rawClient{t: t, conn: conn}
	c.answers = bufio.NewReader(c)
	return c
}

func (c *rawClient) Read(p []byte) (int, error) {
	n, err := c.conn.Read(p)
	c.out += int64(n)
	return n, err
}

func (c *rawClient) send(request string) {
	n, err := io.WriteString(c.conn, request)
	c.in += int64(n)
	if err != nil {
		c.t.Error(err)
	}
}

// receive reads one answer to its last byte, and not one further.
func (c *rawClient) receive(method string) (status int, body []byte) {
	response, err := http.ReadResponse(c.answers, &http.Request{Method: method})
	if err != nil {
		c.t.Error(err)
		return 0, nil
	}
	body, err = io.ReadAll(response.Body)
	if err != nil {
		c.t.Error(err)
	}
	return response.StatusCode, body
}

func (c *rawClient) get(target string) (status int, body []byte) {
	c.send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")
	return c.receive("GET")
}

func (c *rawClient) port() int { return c.conn.LocalAddr().(*net.TCPAddr).Port }
