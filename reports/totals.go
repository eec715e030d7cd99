package reports

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/weft-profiler/weft/collector/recording"
)

// Total is what the stacks of one kind of one model come to, beside the counter of the same name, both summed over the
// profiled trials. Stacks and counters are kept apart in the kernel: what one has and the other has not is lost.
type Total struct {
	Model   string `json:"model"`
	Kind    string `json:"kind"`    // one of Kinds
	Unit    string `json:"unit"`    // "ns", "bytes" or "count"
	Stacks  int64  `json:"stacks"`  // what the stacks add up to
	Counter int64  `json:"counter"` // what the trials counted
	Trials  []int  `json:"trials"`  // their numbers
	noun    string
}

// Equal says that nothing is missing and nothing is there twice.
func (t *Total) Equal() bool { return t.Stacks == t.Counter }

// String says how much of the counter is in the stacks.
func (t *Total) String() string {
	switch {
	case t.Equal():
		return fmt.Sprintf("The stacks add up to the counter of %s.", t.noun)
	case t.Counter == 0:
		return fmt.Sprintf("The stacks have %s of %s, and the counter has none.", format(t.Unit, float64(t.Stacks)), t.noun)
	case t.Stacks == 0:
		return fmt.Sprintf("None of the %s is in a stack: %s.", t.noun, format(t.Unit, float64(t.Counter)))
	case t.Stacks > t.Counter:
		return fmt.Sprintf("The stacks have %s more %s than the counter.", formatShare(float64(t.Stacks-t.Counter)/float64(t.Counter)), t.noun)
	}
	missing := float64(t.Counter-t.Stacks) / float64(t.Counter)
	if missing < 0.0005 {
		return fmt.Sprintf("All but %s of the %s is in the stacks: %s in none.", formatShare(missing), t.noun, format(t.Unit, float64(t.Counter-t.Stacks)))
	}
	return fmt.Sprintf("%s of the %s is in the stacks: %s in none.", formatShare(1-missing), t.noun, formatShare(missing))
}

// totalsOnce holds the totals of a View: they cost the reading of every profile.
type totalsOnce struct {
	mu      sync.Mutex
	byModel map[string]modelTotals
	all     sync.Once
	unread  error // of all profiles
}

type modelTotals struct {
	list   []Total
	unread error // why the profile cannot be read: then there is no total
}

// totalsOf compares all kinds of one model with their counters. The error says why its profile cannot be read.
func (v *View) totalsOf(model string) ([]Total, error) {
	v.totals.mu.Lock()
	defer v.totals.mu.Unlock()
	if of, ok := v.totals.byModel[model]; ok {
		return of.list, of.unread
	}
	list, err := v.newTotals(model)
	if v.totals.byModel == nil {
		v.totals.byModel = map[string]modelTotals{}
	}
	v.totals.byModel[model] = modelTotals{list, err}
	return list, err
}

func (v *View) newTotals(model string) ([]Total, error) {
	p, err := v.profile(model)
	if err != nil {
		return nil, err
	}
	list := []Total{}
	for _, kind := range Kinds() {
		columns, err := kind.columns(p)
		if err != nil {
			continue // the profile has no such kind
		}
		s := stacks{kind: kind, model: model, profile: p, columns: columns}
		if err := s.checkTotal(); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", kind.Name, model, err)
		}
		if kind.Counter == nil {
			continue
		}
		trials := trialsIn(v, model, p, kind)
		counter, known := v.counted(trials, kind)
		if t := (Total{model, kind.Name, kind.Unit, s.total(), counter, trials, kind.Noun}); known && (t.Stacks > 0 || t.Counter > 0) {
			list = append(list, t)
		}
	}
	return list, nil
}

// counted sums a kind's counter over trials; false where one of them has none.
func (v *View) counted(numbers []int, kind Kind) (int64, bool) {
	var sum int64
	for _, number := range numbers {
		t := v.trial(number)
		if t == nil {
			return 0, false
		}
		n, ok := kind.Counter(t)
		if !ok {
			return 0, false
		}
		sum += n
	}
	return sum, len(numbers) > 0
}

// trial finds a trial by its number, nil where there is none.
func (v *View) trial(number int) *recording.Trial {
	i, ok := slices.BinarySearchFunc(v.trials, number, func(t *recording.Trial, n int) int { return cmp.Compare(t.Number, n) })
	if !ok {
		return nil
	}
	return v.trials[i]
}

// Totals compares the stacks of all models with their counters, and keeps that with the evidence, and which profiles
// cannot be read with the findings too. A report of the whole recording asks for it first, whether it shows totals or not: so
// all formats say the same of a recording.
func (v *View) Totals() []Total {
	v.totals.all.Do(func() {
		v.Evidence.Totals = []Total{}
		for i := range v.Models {
			if v.Models[i].Profiled {
				v.addTotals(v.Models[i].Name)
			}
		}
		v.Findings = append(findUnread(v, nil), v.Findings...)
	})
	return v.Evidence.Totals
}

func (v *View) addTotals(model string) {
	list, err := v.totalsOf(model)
	if err != nil {
		v.Evidence.Unread = append(v.Evidence.Unread, Unread{model, err.Error()})
		v.totals.unread = errors.Join(v.totals.unread, fmt.Errorf("profile of %s: %w", model, err))
	}
	v.Evidence.Totals = append(v.Evidence.Totals, list...)
}

// Unread says of all profiles that the recording names and that cannot be read why that is; nil where there is none. A report
// of the whole recording is drawn without them.
func (v *View) Unread() error {
	v.Totals()
	return v.totals.unread
}

// totalOf is that of one kind, nil where there is nothing to compare.
func (v *View) totalOf(model, kind string) *Total {
	list, _ := v.totalsOf(model)
	if i := slices.IndexFunc(list, func(t Total) bool { return t.Kind == kind }); i >= 0 {
		return &list[i]
	}
	return nil
}

// totalsLines say of all models together which stacks add up, and then each difference.
func totalsLines(v *View) []string {
	equal := map[string]bool{}
	var lines, none []string
	lacking := map[string][]string{} // kinds without any stack: models
	for _, t := range v.Totals() {
		switch {
		case t.Equal():
			equal[t.noun] = true
		case t.Stacks == 0:
			if lacking[t.noun] == nil {
				none = append(none, t.noun)
			}
			lacking[t.noun] = append(lacking[t.noun], t.Model)
		default:
			lines = append(lines, fmt.Sprintf("%s, %s: %s", t.Model, t.Kind, lowerFirst(t.String())))
		}
	}
	for _, noun := range none {
		lines = append(lines, fmt.Sprintf("%s: none of the %s is in a stack.", strings.Join(lacking[noun], ", "), noun))
	}
	for _, u := range v.Evidence.Unread {
		lines = append(lines, u.Model+": no stack is known, its profile cannot be read.")
	}
	if len(equal) > 0 {
		end := "."
		if len(lines) > 0 {
			end = ", but:"
		}
		lines = slices.Insert(lines, 0, "Stacks of profiled trials add up to the counters: "+strings.Join(slices.Sorted(maps.Keys(equal)), ", ")+end)
	}
	return lines
}

// lowerFirst makes a sentence follow a colon.
func lowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(first)) + s[size:]
}

func offCPUCounter(t *recording.Trial) (int64, bool) {
	if t.Sched == nil {
		return 0, false
	}
	sum := t.Sched.Time.RunnableNS
	for _, ns := range t.Sched.Time.BlockedNS {
		sum += ns
	}
	return sum, true
}

// threadsCounter leaves out the first thread: it was there before anything could be seen of the process.
func threadsCounter(t *recording.Trial) (int64, bool) { return t.Threads.Made - 1, t.Threads.Made > 0 }

func socketCounter(t *recording.Trial) (int64, bool) {
	var sum int64
	for _, transport := range t.Sockets.Transports {
		sum += transport.SentBytes + transport.RecvBytes
	}
	return sum, len(t.Sockets.Transports) > 0
}

func replyCounter(t *recording.Trial) (int64, bool) {
	return t.Sockets.Awaiting.SumNS, len(t.Sockets.Transports) > 0
}

func grownCounter(t *recording.Trial) (int64, bool) {
	if t.Memory == nil {
		return 0, false
	}
	return t.Memory.GrownBytes, t.Memory.GrownBytes > 0
}
