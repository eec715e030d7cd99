package origin

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// pacer gives each answer its moment, so that no more than a rate of them go
// out. Answers are evenly spaced; time in which nobody asked is not made up
// for.
type pacer struct {
	interval time.Duration // 0 is no limit

	mu   sync.Mutex
	next time.Time
}

func newPacer(rate float64) *pacer {
	if rate <= 0 {
		return &pacer{}
	}
	return &pacer{interval: time.Duration(float64(time.Second) / rate)}
}

// slot returns how long after now the next answer may go.
func (p *pacer) slot(now time.Time) time.Duration {
	if p.interval == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	delay := p.next.Sub(now)
	p.next = p.next.Add(p.interval)
	return delay
}

// latency is the time that passes before q is answered: the same for the same
// page, whatever the order of requests.
func (c Config) latency(q question) time.Duration {
	if c.Jitter <= 0 {
		return c.Latency
	}
	random := rand.New(rand.NewPCG(q.seed(), c.Seed))
	return c.Latency - c.Jitter + time.Duration(random.Int64N(2*int64(c.Jitter)+1))
}

// sleep returns early, with the reason, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
