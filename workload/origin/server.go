package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// server is an origin.
type server struct {
	cfg      Config
	cache    *cache
	pace     *pacer
	town     *regexp.Regexp
	identity Identity
	control  *http.ServeMux
	claim    *claim

	trial        atomic.Pointer[trial]
	acceptErrors atomic.Int64
}

const (
	headerTime = 30 * time.Second // for a client to send its request
	idleTime   = 2 * time.Minute  // between two requests of a connection
	maxHeader  = 16 << 10         // bytes of a request's header
)

// Serve runs an origin until ctx ends, which is no error. Once it listens it
// calls ready with its address, which has the port that was taken if the
// Config said 0.
func Serve(ctx context.Context, cfg Config, ready func(net.Addr)) error {
	if err := cfg.CheckValid(); err != nil {
		return err
	}
	var listen net.ListenConfig
	listen.SetMultipathTCP(false) // which Go turns on by itself; plain TCP is what is compared
	l, err := listen.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return errors.Join(fmt.Errorf("origin: listener is a %T", l), l.Close())
	}
	s := newServer(cfg)
	ready(l.Addr())
	return s.serve(ctx, tcp)
}

func (s *server) serve(ctx context.Context, tcp *net.TCPListener) error {
	web := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // what matters is counted
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { stopped <- web.Close() })
	err := web.Serve(listener{tcp, s})
	if !stop() && errors.Is(err, http.ErrServerClosed) {
		if err := <-stopped; err != nil {
			return fmt.Errorf("close origin: %w", err)
		}
		return nil
	}
	return fmt.Errorf("origin: %w", err)
}

func newServer(cfg Config) *server {
	s := &server{
		cfg: cfg, cache: newCache(cfg.PageBytes), pace: newPacer(cfg.Rate), claim: newClaim(),
		town:     regexp.MustCompile(`^[A-Za-z][A-Za-z-]{0,31}$`),
		identity: identityOf(cfg),
	}
	s.control = s.controls()
	s.trial.Store(newTrial(0, 0))
	return s
}

func (s *server) now() *trial { return s.trial.Load() }

// connKey is the context key of the *conn that a request came on.
type connKey struct{}

// ServeHTTP counts a request and answers it.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if !ok {
		http.Error(w, "not on a connection of this origin", http.StatusInternalServerError)
		return
	}
	if strings.HasPrefix(r.URL.Path, controlPath) {
		c.trial.isControl(c)
		s.control.ServeHTTP(w, r)
		return
	}
	t := s.now()
	if t != c.trial || c.control.Load() {
		s.serveStranger(c, w, r, t)
		return
	}
	came := time.Now()
	flight := t.arrive(c)
	flight.leaveAfter(c, w, s.answer(r, t, came))
}

// serveStranger answers a request that is not of the trial t. It is counted
// once it has an answer: a child of the trial before that was killed may have
// left some that nobody waits for, and that cost nothing.
func (s *server) serveStranger(c *conn, w http.ResponseWriter, r *http.Request, t *trial) {
	nobodys := newTrial(0, 0)
	nobodys.first = new(account) // it has none
	came := time.Now()
	flight := nobodys.arrive(c)
	a := s.answer(r, nobodys, came)
	if !a.gone {
		t.stranger()
	}
	flight.leaveAfter(c, w, a)
}

// answer is what a request gets.
type answer struct {
	status int
	body   []byte
	gone   bool // the client did not wait for it
	head   bool // HEAD: the body is not sent
}

// answer finds the page and waits as long as the request has to, which came at
// the given time.
func (s *server) answer(r *http.Request, t *trial, came time.Time) answer {
	head := r.Method == http.MethodHead
	if r.Method != http.MethodGet && !head {
		return answer{status: http.StatusMethodNotAllowed, body: []byte("GET or HEAD\n")}
	}
	if r.URL.Path != "/prices" {
		return answer{status: http.StatusNotFound, body: []byte("only /prices is here\n"), head: head}
	}
	query := r.URL.Query()
	q := question{from: query.Get("from"), to: query.Get("to"), date: query.Get("date")}
	if !s.isQuestion(q) {
		return answer{
			status: http.StatusBadRequest, head: head,
			body: []byte("ask for /prices?from=TOWN&to=TOWN&date=YYYY-MM-DD\n"),
		}
	}
	if err := s.wait(r.Context(), t, q, came); err != nil {
		return answer{gone: true}
	}
	return answer{status: http.StatusOK, body: s.cache.page(q), head: head}
}

func (s *server) isQuestion(q question) bool {
	_, err := time.Parse(time.DateOnly, q.date)
	return err == nil && s.town.MatchString(q.from) && s.town.MatchString(q.to)
}

// wait holds the request, lets its latency pass since it came, and finds it a
// place in the pace of answers.
func (s *server) wait(ctx context.Context, t *trial, q question, came time.Time) error {
	t.hold.arrive()
	late := sleep(ctx, time.Until(came.Add(s.cfg.latency(q))))
	held := t.hold.wait(ctx)
	if err := errors.Join(late, held); err != nil {
		return err
	}
	return sleep(ctx, s.pace.slot(time.Now()))
}

// leaveAfter sends the answer and ends the request's flight.
func (r *response) leaveAfter(c *conn, w http.ResponseWriter, a answer) {
	sent := 0
	defer func() { r.trial.finish(r, sent) }()
	if a.gone {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	if !a.head {
		r.left = len(a.body)
	}
	c.response = r
	defer func() { c.response = nil }()
	w.WriteHeader(a.status)
	if !a.head {
		if _, err := w.Write(a.body); err != nil {
			return
		}
	}
	// Without it the end of a small body would go out after this function.
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	sent = a.status
}
