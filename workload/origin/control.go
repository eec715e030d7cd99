package origin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
)

// controlPath is what every control request begins with.
const controlPath = "/.weft/"

// maxHold bounds the requests that can be waited for.
const maxHold = 1_000_000

// reply is the answer to held and release.
type reply struct {
	Waiting int  `json:"waiting"` // requests held
	Expired bool `json:"expired"` // they had been answered before, after holdLimit
}

func (s *server) controls() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+controlPath+"origin", func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, s.identity)
	})
	mux.HandleFunc("POST "+controlPath+"claim", s.serveClaim)
	mux.HandleFunc("POST "+controlPath+"trial", s.claimed(s.begin))
	mux.HandleFunc("GET "+controlPath+"held", s.claimed(s.held))
	mux.HandleFunc("POST "+controlPath+"release", s.claimed(s.release))
	mux.HandleFunc("GET "+controlPath+"stats", s.claimed(s.stats))
	return mux
}

func (s *server) stats(w http.ResponseWriter, _ *http.Request) {
	stats := s.now().stats()
	stats.AcceptErrors = s.acceptErrors.Load()
	sendJSON(w, stats)
}

func (s *server) begin(w http.ResponseWriter, r *http.Request) {
	hold, holdErr := count(r, "hold", maxHold)
	requests, requestsErr := count(r, "requests", math.MaxInt32)
	if err := errors.Join(holdErr, requestsErr); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	before := s.trial.Swap(newTrial(hold, requests))
	before.hold.release()
	w.WriteHeader(http.StatusNoContent)
}

// count is a number of the query, 0 if it is not there.
func count(r *http.Request, name string, most int) (int, error) {
	text := cmp.Or(r.URL.Query().Get(name), "0")
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%s: want 0 to %d", name, most)
	}
	return n, nil
}

func (s *server) held(w http.ResponseWriter, r *http.Request) {
	h := s.now().hold
	if h.want <= 0 {
		http.Error(w, "this trial holds nobody: begin it with hold=N", http.StatusBadRequest)
		return
	}
	select {
	case <-h.held:
		sendJSON(w, reply{Waiting: h.waited()})
	case <-r.Context().Done():
	}
}

func (s *server) release(w http.ResponseWriter, _ *http.Request) {
	h := s.now().hold
	inTime := h.release()
	sendJSON(w, reply{Waiting: h.waited(), Expired: !inTime})
}

// sendJSON answers with a value. An answer that does not get out is the
// controller's to notice.
func sendJSON(w http.ResponseWriter, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}

func identityOf(cfg Config) Identity {
	return Identity{
		Service: service, Version: cfg.Version, PID: os.Getpid(),
		Latency: cfg.Latency, Jitter: cfg.Jitter, PageBytes: cfg.PageBytes, Rate: cfg.Rate,
	}
}
