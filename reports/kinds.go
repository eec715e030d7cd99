package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// Kind is something that stacks can be weighed by.
type Kind struct {
	Name    string   // what --kind takes
	Title   string   // of a flame graph
	Column  string   // of the table of who pays; empty where it is in none
	Noun    string   // what its total is a total of, in a sentence
	Unit    string   // "ns", "bytes" or "count"
	Samples []string // sample types of the profile; their sum is what is drawn

	// Counter is the figure of a profiled trial that the stacks must add up to; nil where the kernel keeps none. It is
	// false where the trial has no evidence of it.
	Counter func(*recording.Trial) (int64, bool)
}

// Kinds is the table of kinds, in the order of reports.
func Kinds() []Kind {
	return []Kind{
		{recording.KindCPU, "Time on a CPU", "CPU time", "CPU time", unitNS, []string{"cpu"}, nil},
		{recording.KindOffCPU, "Time off the CPU", "OFF-CPU time", "off-CPU time", unitNS, []string{sampleBlocked, sampleRunnable}, offCPUCounter},
		{recording.KindThreadCreate, "Threads made", "THREADS made", "threads made", unitCount, []string{"threadcreate"}, threadsCounter},
		{recording.KindSocket, "Socket bytes, sent and received", "SOCKET bytes", "socket bytes", unitBytes, []string{"socket_sent", "socket_received"}, socketCounter},
		{recording.KindReplyWait, "Reply wait, by who sent", "REPLY wait", "reply wait", unitNS, []string{"replywait"}, replyCounter},
		{recording.KindRSS, "Resident memory grown, gross", "RSS grown", "RSS grown", unitBytes, []string{"rss_grown"}, grownCounter},
		{recording.KindHeap, "Heap in use", "HEAP in use", "heap in use", unitBytes, []string{"inuse_space"}, nil},
		{recording.KindGoroutine, "Goroutines at the hold", "", "goroutines", unitCount, []string{"goroutine"}, nil},
		{recording.KindBlock, "Goroutine waits, by who waited", "", "waits of goroutines", unitNS, []string{"block_delay"}, nil},
		{recording.KindMutex, "Lock waits, by who unlocked", "", "waits for locks", unitNS, []string{"mutex_delay"}, nil},
	}
}

// atHold says that values are what there is while the answers are held, however much work comes before or after.
func (k Kind) atHold() bool { return k.Name == recording.KindHeap || k.Name == recording.KindGoroutine }

// Sample types that stacks of offcpu are told apart by.
const (
	sampleBlocked  = "offcpu_blocked"
	sampleRunnable = "offcpu_runnable"
)

// profileUnit is what a profile calls a unit.
func profileUnit(unit string) string {
	if unit == unitNS {
		return "nanoseconds"
	}
	return unit
}

func kindByName(name string) (Kind, error) {
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i >= 0 {
		return kinds[i], nil
	}
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	return Kind{}, fmt.Errorf("%w %q: choose one by --kind: %s", ErrKind, name, strings.Join(names, ", "))
}

// columns are the places of the kind's values in a sample.
func (k Kind) columns(p *profile.Profile) ([]int, error) {
	var list []int
	for i, t := range p.SampleType {
		if slices.Contains(k.Samples, t.Type) && t.Unit == profileUnit(k.Unit) {
			list = append(list, i)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: the profile has no %s", ErrNoEvidence, strings.Join(k.Samples, " or "))
	}
	return list, nil
}

// stacks is one model's profile read as one kind.
type stacks struct {
	kind    Kind
	model   string
	profile *profile.Profile
	columns []int
	calls   *callTable // of the profile; made when it is nil
	trials  []int      // the profile is the sum of these; numbers of trials, 0 where that is not known
}

// keepLast parses a profile once for all drawings of a View that follow each other. Parsed profiles are big: only
// the last one is kept, for as long as the View is, and it is let go before the next is read. Drawings share it
// and must not change it; they may run at the same time.
func keepLast(read func(string) (*profile.Profile, error)) func(string) (*profile.Profile, error) {
	var mu sync.Mutex
	var kept *profile.Profile
	var of string
	return func(model string) (*profile.Profile, error) {
		mu.Lock()
		defer mu.Unlock()
		if kept != nil && of == model {
			return kept, nil
		}
		kept, of = nil, model
		p, err := read(model)
		if err != nil {
			return nil, err
		}
		kept = p
		return p, nil
	}
}

// stacksOf finds the profile and the kind that the options name.
func stacksOf(v *View, opts Options) (*stacks, error) {
	kind, err := kindByName(opts.Kind)
	if err != nil {
		return nil, err
	}
	model, err := profiledModel(v, opts.Model)
	if err != nil {
		return nil, err
	}
	p, err := v.profile(model)
	if err != nil {
		return nil, err
	}
	columns, err := kind.columns(p)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", kind.Name, model, err)
	}
	s := &stacks{kind: kind, model: model, profile: p, columns: columns, calls: v.calls(p), trials: trialsIn(v, model, p, kind)}
	if err := s.checkTotal(); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", kind.Name, model, err)
	}
	return s, nil
}

// checkTotal refuses values whose sum is no number: a profile may come from somebody else.
func (s *stacks) checkTotal() error {
	var total int64
	for _, sample := range s.profile.Sample {
		for _, i := range s.columns {
			n := max(0, sample.Value[i])
			if n > math.MaxInt64-total {
				return fmt.Errorf("%w: its values are too great to be added up", recording.ErrDamaged)
			}
			total += n
		}
	}
	return nil
}

// profiledModel is the model asked for, or the only one that has a profile.
func profiledModel(v *View, asked string) (string, error) {
	var all, names []string
	for _, m := range v.Models {
		all = append(all, m.Name)
		if m.Profiled {
			names = append(names, m.Name)
		}
	}
	switch {
	case asked != "" && !slices.Contains(all, asked):
		return "", fmt.Errorf("%w %q: the recording has %s", ErrModel, asked, strings.Join(all, ", "))
	case len(names) == 0 && v.Evidence.Extent.Interrupted:
		return "", fmt.Errorf("%w: the recording has no profile, because its run was interrupted: run it again to the end", ErrNoEvidence)
	case len(names) == 0 && v.Evidence.Extent.PlannedProfiles == 0:
		return "", fmt.Errorf("%w: the recording has no profile: record again without --profile=false", ErrNoEvidence)
	case len(names) == 0:
		return "", fmt.Errorf("%w: the recording has no profile: its profiled trials failed, the findings say why", ErrNoEvidence)
	case slices.Contains(names, asked):
		return asked, nil
	case asked != "":
		return "", fmt.Errorf("%w: no profile of model %q: there are %s", ErrNoEvidence, asked, strings.Join(names, ", "))
	case len(names) == 1:
		return names[0], nil
	}
	return "", severalError{names}
}

// severalError says that the recording has the profiles of several models, and one is to be chosen.
type severalError struct{ models []string }

func (e severalError) Error() string {
	return "several models have a profile: choose one by --model: " + strings.Join(e.models, ", ")
}

func (severalError) Unwrap() error { return ErrModel }

// total is the value of all samples.
func (s *stacks) total() int64 {
	var sum int64
	for _, sample := range s.profile.Sample {
		sum += s.value(sample)
	}
	return sum
}

// value of a sample; what is not positive is not drawn.
func (s *stacks) value(sample *profile.Sample) int64 {
	var n int64
	for _, i := range s.columns {
		n += max(0, sample.Value[i])
	}
	return n
}

// part is what a sample has of a kind.
type part struct {
	value int64
	wait  string // of off-CPU time its cause, of reply wait that it is none, as the name of a frame
}

// parts of a sample that have a value; only off-CPU time can have two.
func (s *stacks) parts(sample *profile.Sample) []part {
	if s.kind.Name != recording.KindOffCPU {
		if n := s.value(sample); n > 0 {
			return []part{{n, s.unanswered(sample)}}
		}
		return nil
	}
	var list []part
	for _, i := range s.columns {
		if n := sample.Value[i]; n > 0 {
			list = append(list, part{n, waitFrame(sample, s.profile.SampleType[i].Type)})
		}
	}
	return list
}

// unanswered names the frame of time in which a reply was awaited and did not come: the next send of the request did, or the
// connection's end.
func (s *stacks) unanswered(sample *profile.Sample) string {
	wait := sample.Label["wait"]
	if s.kind.Name != recording.KindReplyWait || len(wait) == 0 || wait[0] == recording.WaitReply {
		return ""
	}
	return "[" + wait[0] + "]"
}

// waitFrame names the frame of a cause: "[futex]".
func waitFrame(sample *profile.Sample, sampleType string) string {
	cause := "blocked"
	if wait := sample.Label["wait"]; len(wait) > 0 && wait[0] != recording.WaitRunnable {
		cause = wait[0]
	}
	if sampleType == sampleRunnable {
		cause = recording.WaitRunnable
	}
	return "[" + cause + "]"
}

// isCut says that the stack's root was not reached.
func isCut(sample *profile.Sample) bool {
	if len(sample.NumLabel["cut"]) > 0 {
		return sample.NumLabel["cut"][0] != 0
	}
	return len(sample.Label["cut"]) > 0 && !slices.Contains([]string{"", "0", "false"}, sample.Label["cut"][0])
}
