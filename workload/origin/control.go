package origin

import (
	"encoding/json"
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
	hold := 0
	if text := r.URL.Query().Get("hold"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxHold {
			http.Error(w, "hold: want 0 to "+strconv.Itoa(maxHold), http.StatusBadRequest)
			return
		}
		hold = n
	}
	before := s.trial.Swap(newTrial(hold))
	before.hold.release()
	w.WriteHeader(http.StatusNoContent)
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
