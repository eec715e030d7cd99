package workload

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// maxPage is the longest body that is read, as in the shared client.
const maxPage = 64 << 20

// runNetHTTP fetches pages as people write it in Go: one shared http.Client,
// a goroutine a request, and a semaphore so that no more than the concurrency
// asked for are under way.
func runNetHTTP(f *fetch) {
	client := f.newHTTPClient()
	defer client.CloseIdleConnections()
	slots := make(chan struct{}, f.cfg.Concurrency)
	var requests sync.WaitGroup
	for {
		slots <- struct{}{}
		i, page, ok := f.take()
		if !ok {
			break
		}
		requests.Go(func() {
			defer func() { <-slots }()
			list, err := f.getNetHTTP(client, page)
			f.finish(i, page, list, err)
		})
	}
	requests.Wait()
}

func (f *fetch) newHTTPClient() *http.Client {
	return &http.Client{
		Timeout: f.cfg.Timeout(),
		Transport: &http.Transport{
			// The default keeps two idle connections a host and closes the
			// rest after each request: with 100 in flight, nearly every
			// request would pay for a new connection.
			MaxIdleConnsPerHost: f.cfg.Concurrency,
			DisableKeepAlives:   !f.cfg.KeepAlive,
			DisableCompression:  true, // the other models ask for none
			// The address was found before the gate.
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, f.addr.String())
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (f *fetch) getNetHTTP(client *http.Client, page Page) (_ []Departure, err error) {
	response, err := client.Get("http://" + f.host + page.Target())
	if err != nil {
		return nil, fmt.Errorf("get page: %w", err)
	}
	defer response.Body.Close() // nothing of a read body is lost by it
	body := io.LimitReader(response.Body, maxPage)
	if response.StatusCode != http.StatusOK {
		// Read to the end, or the connection cannot be used again.
		if _, err := io.Copy(io.Discard, body); err != nil {
			return nil, fmt.Errorf("read page: %w", err)
		}
		return nil, &StatusError{Status: response.StatusCode}
	}
	return ParsePage(body, page)
}
