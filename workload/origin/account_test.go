package origin

import (
	"testing"
	"time"
)

// burn uses so much CPU time of this process, where the origin of a test runs too.
func burn(d time.Duration) {
	for begin := cpuNS(); cpuNS()-begin < d.Nanoseconds(); {
	}
}

// TestAccountWindow: the account is that of the trial's requests, whatever the
// process did before the first and after the last of them.
func TestAccountWindow(t *testing.T) {
	const burnt = 300 * time.Millisecond
	for _, c := range []struct {
		name            string
		requests, come  int
		least, most     time.Duration // of CPU time
		delay           bool          // may be more than 0
		betweenRequests bool          // burn there too
	}{
		{"two", 2, 2, 1, burnt, true, false},
		{"two and work", 2, 2, burnt, 2 * burnt, true, true},
		{"none", 2, 0, 0, 0, false, false},
		{"one fails", 3, 2, burnt, 2 * burnt, true, false}, // to the stats: nobody knows of a last one
		{"nobody knows", 0, 2, burnt, 2 * burnt, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := serve(t, nil)
			if err := h.Begin(within(t, time.Minute), c.requests, 0); err != nil {
				t.Fatal(err)
			}
			burn(burnt)
			for i := range c.come {
				dial(t, h).get(anyPage)
				if c.betweenRequests && i == 0 {
					burn(burnt)
				}
			}
			burn(burnt)
			s := stats(t, h)
			if cpu := time.Duration(s.CPUNS); cpu < c.least || cpu > c.most {
				t.Errorf("%v of CPU time, want %v to %v", cpu, c.least, c.most)
			}
			if s.RunDelayNS > 0 && !c.delay || s.Missing != "" {
				t.Errorf("run delay of %d ns, missing %q", s.RunDelayNS, s.Missing)
			}
		})
	}
}

// TestAccountMissing: what could not be read at either end is not a figure.
func TestAccountMissing(t *testing.T) {
	var s Stats
	s.accountSince(&account{cpu: 3, delay: 5}, &account{cpu: 7, delay: 4}) // a thread has ended
	if s.CPUNS != 4 || s.RunDelayNS != 0 || s.Missing != "" {
		t.Errorf("%+v", s)
	}
	for _, ends := range [][2]*account{
		{{cpu: 3, err: ErrRefused}, {cpu: 7, delay: 9}},
		{{cpu: 3, delay: 5}, {cpu: 7, err: ErrRefused}},
	} {
		s = Stats{}
		if s.accountSince(ends[0], ends[1]); s.CPUNS != 4 || s.RunDelayNS != 0 || s.Missing != ErrRefused.Error() {
			t.Errorf("%+v", s)
		}
	}
}
