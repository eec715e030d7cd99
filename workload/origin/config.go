package origin

import (
	"fmt"
	"net"
	"strconv"
	"time"
)

// Config says how an origin answers.
type Config struct {
	Listen    string        `json:"listen"`     // host:port; port 0 takes a free one
	Latency   time.Duration `json:"latency_ns"` // from a request's header to its answer
	Jitter    time.Duration `json:"jitter_ns"`  // latency varies by up to this, both ways, fixed by page and Seed
	PageBytes int           `json:"page_bytes"` // size of each page
	Rate      float64       `json:"rate"`       // pages answered a second; 0 is no limit
	Seed      uint64        `json:"seed"`       // of the jitter
	Version   string        `json:"version"`    // of weft, told to who asks
}

// The bounds of a page, and its size unless told otherwise: that of the page
// in the article.
const (
	MinPageBytes     = 1 << 10
	MaxPageBytes     = 8 << 20
	DefaultPageBytes = 67_700
)

const (
	maxLatency = time.Hour
	minRate    = 0.001 // pages a second
	maxRate    = 1e6
)

// DefaultConfig listens on a free port of the loopback interface and answers
// after 20 ms.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:0", Latency: 20 * time.Millisecond, PageBytes: DefaultPageBytes}
}

// CheckValid reports the first thing wrong with c, and what it may be.
func (c Config) CheckValid() error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("origin address %q: %w: give HOST:PORT", c.Listen, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("origin address %q: port %q: want 0 to 65535", host, port)
	}
	switch {
	case c.Latency < 0 || c.Latency > maxLatency:
		return fmt.Errorf("origin latency %v: want 0 to %v", c.Latency, maxLatency)
	case c.Jitter < 0 || c.Jitter > c.Latency:
		return fmt.Errorf("origin jitter %v: want 0 to the latency, %v", c.Jitter, c.Latency)
	case c.PageBytes < MinPageBytes || c.PageBytes > MaxPageBytes:
		return fmt.Errorf("origin page of %d bytes: want %d to %d", c.PageBytes, MinPageBytes, MaxPageBytes)
	case c.Rate != 0 && !(c.Rate >= minRate && c.Rate <= maxRate):
		return fmt.Errorf("origin rate of %v pages a second: want %v to %v, or 0 for no limit", c.Rate, minRate, maxRate)
	}
	return nil
}

// Identity is what an origin says of itself.
type Identity struct {
	Service   string        `json:"service"` // always "weft-origin"
	Version   string        `json:"version"` // of weft
	Latency   time.Duration `json:"latency_ns"`
	Jitter    time.Duration `json:"jitter_ns"`
	PageBytes int           `json:"page_bytes"`
	Rate      float64       `json:"rate"`
	PID       int           `json:"pid"` // on its own machine
}

// service is how an origin is told from any other server.
const service = "weft-origin"
