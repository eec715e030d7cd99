package workload

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// runGoroutines starts as many workers as there may be requests in flight,
// each a goroutine with a connection of its own. A worker that waits is parked
// by the runtime's network poller and occupies no thread.
func runGoroutines(f *fetch) {
	var workers sync.WaitGroup
	for range f.cfg.Concurrency {
		workers.Go(func() { f.browse(dialNet) })
	}
	workers.Wait()
}

// dialNet opens a connection that waits in the network poller. TCP_NODELAY is
// set, as package net does by itself; keep-alive probes are off, because the
// raw sockets of go-threads have none.
func dialNet(f *fetch, deadline time.Time) (conn, error) {
	d := net.Dialer{Deadline: deadline, KeepAlive: -1}
	c, err := d.Dial("tcp", f.addr.String())
	if err != nil {
		return nil, fmt.Errorf("tcp: %w", err)
	}
	return c, nil
}
