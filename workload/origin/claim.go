package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// tokenHeader tells the control requests of one client from those of another.
const tokenHeader = "Weft-Client"

const (
	handOver = time.Second // for the end of the client before to be noticed
	// A client whose machine or network is gone is noticed after
	// goneIdle + goneMost * goneStep: as long as a request of a trial may take.
	goneIdle = 15 * time.Second
	goneStep = 5 * time.Second
	goneMost = 3
)

// claim is whom an origin serves: one client at a time, because there is one
// trial. It is held by a request that is answered for as long as the client
// wants, whose connection ends with the client, whatever ends that.
type claim struct {
	taken chan struct{}          // full while a client has it
	token atomic.Pointer[string] // of that client; nil when there is none
}

func newClaim() *claim { return &claim{taken: make(chan struct{}, 1)} }

// take waits a moment for the client before to be gone.
func (c *claim) take(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	select {
	case c.taken <- struct{}{}:
		c.token.Store(&token)
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

func (c *claim) drop() {
	c.token.Store(nil)
	<-c.taken
}

// serveClaim answers with a header, and with the end when the client is gone.
func (s *server) serveClaim(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get(tokenHeader)
	if token == "" {
		http.Error(w, "say who you are with "+tokenHeader, http.StatusBadRequest)
		return
	}
	if err := noticeGone(r.Context().Value(connKey{}).(*conn)); err != nil { // ServeHTTP has looked
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := s.claim.take(r.Context(), token); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	defer s.claim.drop()
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return // it is gone already
	}
	<-r.Context().Done()
}

// noticeGone makes a connection end when the other machine does not answer any
// more. Go's default takes two and a half minutes.
func noticeGone(c *conn) error {
	tcp, ok := c.Conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: goneIdle, Interval: goneStep, Count: goneMost})
	if err != nil {
		return fmt.Errorf("keep claim: %w", err)
	}
	return nil
}

// claimed lets only the client through that has the claim.
func (s *server) claimed(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch token := s.claim.token.Load(); {
		case token == nil:
			http.Error(w, "no client has the claim", http.StatusGone)
		case *token != r.Header.Get(tokenHeader):
			http.Error(w, ErrBusy.Error(), http.StatusConflict)
		default:
			handle(w, r)
		}
	}
}

// claim makes the origin serve this handle and nobody else, until Close or the
// end of this process.
func (h *Handle) claim(caller context.Context) error {
	wait, cancel := context.WithTimeout(caller, answerTime)
	defer cancel()
	ctx, end := context.WithCancel(context.WithoutCancel(caller)) // the claim is longer than the wait for it
	waited := context.AfterFunc(wait, end)
	response, err := h.send(ctx, http.MethodPost, "claim")
	if err != nil {
		end()
		return unreachable(wait, err)
	}
	if response.StatusCode == http.StatusOK && waited() {
		h.drop = func() error { defer end(); return response.Body.Close() }
		return nil
	}
	defer end()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return unreachable(wait, err)
	}
	err = refusal(response.StatusCode, text)
	switch {
	case errors.Is(err, ErrBusy):
		return fmt.Errorf("%w: wait until it is done, or start another origin", err)
	case errors.Is(err, ErrRefused):
		return fmt.Errorf("%w of this version: start one there with this weft origin: %w", ErrNotOrigin, err)
	}
	return err
}
