package origin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What can be wrong with an origin, seen from the parent.
var (
	// ErrUnreachable: nothing answers at the address.
	ErrUnreachable = errors.New("origin unreachable")
	// ErrNotOrigin: something answers that is not an origin of weft.
	ErrNotOrigin = errors.New("not a weft origin")
	// ErrExpired: the held requests were answered before they were released.
	ErrExpired = errors.New("hold expired")
	// ErrBusy: the origin serves another client.
	ErrBusy = errors.New("origin is used by another weft")
	// ErrRefused: the origin does not do what was asked; its text says why.
	ErrRefused = errors.New("origin refused")
)

const (
	identityTime = 5 * time.Second  // for an origin to say who it is
	answerTime   = 10 * time.Second // for it to answer what it has not to wait for
	maxReply     = 32 << 20         // bytes of one control answer
)

// Handle is the parent's hold on an origin, in a process of its own or on
// another machine, which serves nobody else meanwhile. Its methods may be used
// from several goroutines; each control request has a connection of its own,
// which the origin does not count.
type Handle struct {
	base     string // http://host:port
	identity Identity
	client   *http.Client
	token    string       // says which client this is
	drop     func() error // ends the claim
	process  *process     // nil when the origin is not ours
}

// Connect takes an origin that runs already, at http://host:port. If nothing
// answers the error is ErrUnreachable, if something else does ErrNotOrigin, if
// the origin serves another client ErrBusy. The caller has to Close the handle.
func Connect(ctx context.Context, origin string) (*Handle, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("origin URL: %w", err)
	}
	if u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("origin URL %q: give http://HOST:PORT", origin)
	}
	h := &Handle{
		base:  "http://" + u.Host,
		token: rand.Text(),
		client: &http.Client{
			Transport: &http.Transport{
				// A kept connection could be opened and never used: it would
				// be counted as a client's.
				DisableKeepAlives:  true,
				DisableCompression: true,
				DialContext:        (&net.Dialer{Timeout: identityTime}).DialContext,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	err = h.identify(ctx)
	if err == nil {
		err = h.claim(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", h.base, err)
	}
	return h, nil
}

func (h *Handle) identify(caller context.Context) error {
	ctx, cancel := context.WithTimeout(caller, identityTime)
	defer cancel()
	err := h.ask(ctx, http.MethodGet, "origin", &h.identity)
	switch {
	case errors.Is(caller.Err(), context.Canceled):
		return caller.Err()
	case errors.Is(err, ErrUnreachable):
		return err
	case err != nil:
		return fmt.Errorf("%w: start one there with weft origin: %w", ErrNotOrigin, err)
	case h.identity.Service != service:
		return fmt.Errorf("%w: start one there with weft origin", ErrNotOrigin)
	}
	return nil
}

// URL returns the origin's address, http://host:port.
func (h *Handle) URL() string { return h.base }

// Identity returns what the origin said of itself when it was connected to.
func (h *Handle) Identity() Identity { return h.identity }

// PID returns the origin's process, 0 when it is not a child of this one.
func (h *Handle) PID() int {
	if h.process == nil {
		return 0
	}
	return h.process.cmd.Process.Pid
}

// Begin begins a trial: all counts are zero, connections that are open now are
// strangers to it. The origin's account of its CPU time ends with the answer to
// the last of the requests, or where that is 0 with the call of Stats. If hold
// is more than 0, nobody is answered until so many requests wait, or none has
// come for two seconds.
func (h *Handle) Begin(ctx context.Context, requests, hold int) error {
	query := fmt.Sprintf("trial?requests=%d&hold=%d", requests, hold)
	return h.wrap("begin trial", h.askSoon(ctx, http.MethodPost, query, nil))
}

// Held waits until the requests of a trial with a hold are held, and returns
// how many are. Without any request it waits until ctx ends, which says nothing
// of the origin: the error is then the cause of that end.
func (h *Handle) Held(ctx context.Context) (int, error) {
	var r reply
	err := h.ask(ctx, http.MethodGet, "held", &r)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r.Waiting, h.wrap("wait for the hold", err)
}

// Release lets the origin answer. If it had done so on its own, which it does
// after 30 seconds, the error is ErrExpired: what was measured of held
// requests may be of others.
func (h *Handle) Release(ctx context.Context) error {
	var r reply
	err := h.askSoon(ctx, http.MethodPost, "release", &r)
	if err == nil && r.Expired {
		err = fmt.Errorf("%w: measuring took more than %v", ErrExpired, holdLimit)
	}
	return h.wrap("release", err)
}

// Stats returns what the origin counted since Begin.
func (h *Handle) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := h.askSoon(ctx, http.MethodGet, "stats", &s)
	return s, h.wrap("read origin stats", err)
}

// Close ends an origin that was spawned; another may serve somebody else now.
func (h *Handle) Close() error {
	err := h.drop()
	if h.process != nil {
		err = errors.Join(err, h.process.close())
	}
	return err
}

// wrap adds what was attempted, and how the process died if it did.
func (h *Handle) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	if h.process != nil && errors.Is(err, ErrUnreachable) {
		if end := h.process.lastWords(); end != "" {
			return fmt.Errorf("%s: %w; %s", what, err, end)
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// askSoon asks for what an origin answers at once: one that does not is
// unreachable.
func (h *Handle) askSoon(ctx context.Context, method, path string, value any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return h.ask(ctx, method, path, value)
}

// ask does one control request and decodes its answer into value.
func (h *Handle) ask(ctx context.Context, method, path string, value any) error {
	response, err := h.send(ctx, method, path)
	if err != nil {
		return unreachable(ctx, err)
	}
	defer response.Body.Close() // nothing of a read body is lost by it
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return unreachable(ctx, err)
	}
	if err := refusal(response.StatusCode, text); err != nil || value == nil {
		return err
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("%w: answer %.60q: %w", ErrNotOrigin, text, err)
	}
	return nil
}

func (h *Handle) send(ctx context.Context, method, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, h.base+controlPath+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set(tokenHeader, h.token)
	return h.client.Do(request)
}

// refusal is what an answer other than 2xx means.
func refusal(status int, text []byte) error {
	switch {
	case status/100 == 2:
		return nil
	case status == http.StatusConflict:
		return ErrBusy
	case status == http.StatusGone:
		return fmt.Errorf("%w: the connection by which this weft had claimed it has ended", ErrUnreachable)
	}
	return fmt.Errorf("%w: status %d: %.200q", ErrRefused, status, strings.TrimSpace(string(text)))
}

// unreachable tells an origin that does not answer from a caller who does not
// wait: only a context that was cancelled is the caller's doing.
func unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return err
}
