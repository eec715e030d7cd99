package recording

import (
	"fmt"
	"math"
	"strings"

	"github.com/google/pprof/profile"
)

// sampleTypes are the values of every sample of a merged profile, in this order: first Go's own of a heap
// profile, then what Values counts, then what a Go program's runtime says of its goroutines. Names are those that the ecosystem knows where it knows any.
var sampleTypes = [...]profile.ValueType{
	{Type: "alloc_objects", Unit: "count"},
	{Type: "alloc_space", Unit: "bytes"},
	{Type: "inuse_objects", Unit: "count"},
	{Type: "inuse_space", Unit: "bytes"},
	{Type: "threadcreate", Unit: "count"},
	{Type: "socket_sent", Unit: "bytes"},
	{Type: "socket_received", Unit: "bytes"},
	{Type: "socket_calls", Unit: "count"},
	{Type: "samples", Unit: "count"}, // these two are Go's own names of a CPU profile
	{Type: "cpu", Unit: "nanoseconds"},
	{Type: "switches", Unit: "count"},
	{Type: "offcpu_blocked", Unit: "nanoseconds"},
	{Type: "offcpu_runnable", Unit: "nanoseconds"},
	{Type: "replies", Unit: "count"},
	{Type: "replywait", Unit: "nanoseconds"},
	{Type: "rss_grown", Unit: "bytes"},
	{Type: "goroutine", Unit: "count"},         // Go's own name: goroutines that there were at the hold
	{Type: "block_contentions", Unit: "count"}, // Go's name of these two is contentions and delay, in the
	{Type: "block_delay", Unit: "nanoseconds"}, // block profile,
	{Type: "mutex_contentions", Unit: "count"}, // and of these two the same,
	{Type: "mutex_delay", Unit: "nanoseconds"}, // in the mutex profile
}

const (
	heapTypes         = 4 // of the sampleTypes, what a heap profile has
	defaultSampleType = "inuse_space"
)

// Where a merged profile says whose it is.
const (
	commentModel = "model=" // before the model's name
	labelModel   = "model"  // of each sample

	CommentTrials     = "trials="      // before how many trials the values are sums of
	CommentHeapTrials = "heap_trials=" // the same of the heap, where it is from trials of its own
)

// sampleValues stand in the order of sampleTypes.
type sampleValues [len(sampleTypes)]int64

// Bounds on profiles. A heap profile, and any of goProfiles, is written by the profiled process.
const (
	maxHeapBytes      = 64 << 20 // decompressed; one of 100,000 stacks has 20 MiB. Parsed it may be 20 times that
	maxProfileRecords = 2 << 20  // samples, locations, functions, mappings and strings together
)

// ProfileBuilder merges what the profiled trials of one model gave, kernel stacks, heap profiles (Go's own, or stacks
// of another language) and Go's profiles of goroutines and their waits, into one pprof profile.
//
// Values are added up over the trials: a profile of three trials says what three runs allocated, and three
// times what one of them had in use. That is how pprof itself merges profiles, nothing is rounded, and the
// sum of a view is the sum of its trials. The comment "trials=N" says how many there are, and "heap_trials=N" of how many
// the heap is, where it was traced in trials of its own. Every sample carries its trial as a numeric label:
// `go tool pprof -tagfocus trial=3:3` shows one of them alone.
//
// Labels of samples: `model` on all, `trial` on all, `bytes` (the size of the objects) on those of a heap,
// `thread` on those from the kernel, `goroutine` (the function it began with, or "[scheduler]"; on those of
// goroutine/count too), `creator`, `goid` and `parent_goid` on those of a Go program, `wait` (the cause, or "runnable") on
// off-CPU time, and `cut`="true" where a stack was not seen up to its root. A stack of which nothing was seen is the one
// frame "[unknown]", so that no value is missing from a total.
//
// profile.Merge is not used: it demands equal sample types and can take two locations for one.
type ProfileBuilder struct {
	tool, model string
	told        []toldProfile
	stacks      []trialStacks
}

// leftOut is the place of a value that is not taken from a profile.
const leftOut = -1

// toldProfile is a profile that the profiled process made of itself.
type toldProfile struct {
	trial   int
	name    string // heapProfileName, or one of the goProfiles
	traced  bool   // it may be of a trial of its own
	profile *profile.Profile
	value   [len(sampleTypes)]int // where it has each of the sampleTypes, or leftOut
}

type trialStacks struct {
	trial  int
	stacks []Stack
}

// NewProfileBuilder returns a builder for the profile of a model. tool is the writer's name and version.
func NewProfileBuilder(tool, model string) *ProfileBuilder {
	return &ProfileBuilder{tool: tool, model: model}
}

// AddHeap adds the heap profiles of a trial as runtime/pprof writes them: each a gzipped profile.proto. What is
// in use is taken from the one at the hold, while the tasks are in flight, and what was allocated from the one
// at the end; without a hold, held is nil and both are taken from the end. The data come from the profiled
// process and are checked; after an error nothing was added.
func (b *ProfileBuilder) AddHeap(trial int, held, end []byte) error {
	atEnd, err := b.read(trial, heapProfileName, end, parseGo)
	if err != nil {
		return err
	}
	if held == nil {
		b.told = append(b.told, atEnd)
		return nil
	}
	atHold, err := b.read(trial, heapProfileName, held, parseGo)
	if err != nil {
		return err
	}
	for i, t := range sampleTypes[:heapTypes] {
		if strings.HasPrefix(t.Type, "inuse") {
			atEnd.value[i] = leftOut
		} else {
			atHold.value[i] = leftOut
		}
	}
	b.told = append(b.told, atHold, atEnd)
	return nil
}

// read checks what the profiled process says of itself.
func (b *ProfileBuilder) read(trial int, name string, data []byte, parse func([]byte) (*profile.Profile, error)) (toldProfile, error) {
	for _, other := range b.told {
		if other.trial == trial && other.name == name {
			return toldProfile{}, fmt.Errorf("%s of trial %d: added before", name, trial)
		}
	}
	p, err := parse(data)
	if err != nil {
		return toldProfile{}, fmt.Errorf("%s of trial %d: %w", name, trial, err)
	}
	value, err := placesOf(p, name)
	if err != nil {
		return toldProfile{}, fmt.Errorf("%s of trial %d: %w", name, trial, err)
	}
	return toldProfile{trial: trial, name: name, profile: p, value: value}, nil
}

// AddStacks adds the stacks that the kernel saw in a trial. The stacks are kept, not copied: they must not
// change before the last call of Profile.
func (b *ProfileBuilder) AddStacks(trial int, stacks []Stack) {
	b.stacks = append(b.stacks, trialStacks{trial: trial, stacks: stacks})
}

// Profile builds the merged profile of what was added. The order in which it was added does not matter to
// the values. A value that is negative or a total too great for an int64 is an error.
func (b *ProfileBuilder) Profile() (*profile.Profile, error) {
	m := newMerger(b.model)
	for _, t := range b.told {
		if err := m.addTold(t); err != nil {
			return nil, fmt.Errorf("%s of trial %d: %w", t.name, t.trial, err)
		}
	}
	for _, s := range b.stacks {
		for i := range s.stacks {
			if err := m.addStack(s.trial, &s.stacks[i]); err != nil {
				return nil, fmt.Errorf("stacks of trial %d: %w", s.trial, err)
			}
		}
	}
	p := m.profile
	p.Comments = append([]string{"tool=" + b.tool, commentModel + b.model}, b.trialComments()...)
	if err := p.CheckValid(); err != nil {
		return nil, fmt.Errorf("merged profile: %w", err)
	}
	return p, nil
}

// trialComments say how many trials the values are sums of, those of the heap too where it is from others.
func (b *ProfileBuilder) trialComments() []string {
	trials, traced := map[int]bool{}, map[int]bool{}
	for _, s := range b.stacks {
		trials[s.trial] = true
	}
	for _, t := range b.told {
		if t.traced {
			traced[t.trial] = true
		} else {
			trials[t.trial] = true
		}
	}
	comments := []string{fmt.Sprint(CommentTrials, len(trials))}
	for trial := range traced {
		if !trials[trial] {
			return append(comments, fmt.Sprint(CommentHeapTrials, len(traced)))
		}
	}
	return comments
}

// parseGo unpacks and parses within bounds. profile.ParseData has none, and tries text formats.
func parseGo(data []byte) (*profile.Profile, error) {
	raw, err := decompress(data, maxHeapBytes)
	if err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	p, err := parseProfile(raw)
	if err != nil {
		return nil, err
	}
	markCut(p)
	return p, nil
}

// countRecords counts the fields of the outermost message, up to the first that is malformed. Each becomes
// a struct of more than 100 bytes, and an empty one takes two bytes in the file.
func countRecords(b []byte) int {
	for n := 0; ; n++ {
		tag, rest, ok := protoVarint(b)
		if !ok || n > maxProfileRecords {
			return n
		}
		length, skip := uint64(0), 0
		switch tag & 7 {
		case 0:
			_, rest, ok = protoVarint(rest)
		case 1:
			skip = 8
		case 2:
			length, rest, ok = protoVarint(rest)
		case 5:
			skip = 4
		default:
			return n
		}
		length += uint64(skip)
		if !ok || length > uint64(len(rest)) {
			return n
		}
		b = rest[length:]
	}
}

func protoVarint(b []byte) (v uint64, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 10; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return v, b[i+1:], true
		}
	}
	return 0, nil, false
}

// add adds values of one sample to another, or to the totals.
func (v *sampleValues) add(more sampleValues) error {
	for i, n := range more {
		if n < 0 || v[i] > math.MaxInt64-n {
			return fmt.Errorf("%s: %d and %d cannot be added", sampleTypes[i].Type, v[i], n)
		}
		v[i] += n
	}
	return nil
}
