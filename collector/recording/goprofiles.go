package recording

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/pprof/profile"
)

// The profiles of runtime/pprof that are merged, beside the heap's.
const (
	GoroutineProfile = "goroutine" // goroutines that there were, by stack
	BlockProfile     = "block"     // waits for channels, conditions and locks that have ended, by the stack that waited
	MutexProfile     = "mutex"     // waits for locks that have ended, by the stack that unlocked
)

// heapProfileName names the heap's among them.
const heapProfileName = "heap"

// goProfiles is what the merged profile calls the values of each profile of Go's. Those of block and mutex have one
// name in Go, and are two different things: a wait is in one at the stack that waited, and, if it was for a lock, in
// the other at the stack that let it go on.
var goProfiles = []struct {
	name   string
	values []goValue
}{
	{heapProfileName, []goValue{
		{"alloc_objects", "alloc_objects", "count"},
		{"alloc_space", "alloc_space", "bytes"},
		{"inuse_objects", "inuse_objects", "count"},
		{"inuse_space", "inuse_space", "bytes"},
	}},
	{GoroutineProfile, []goValue{{"goroutine", "goroutine", "count"}}},
	{BlockProfile, []goValue{{"contentions", "block_contentions", "count"}, {"delay", "block_delay", "nanoseconds"}}},
	{MutexProfile, []goValue{{"contentions", "mutex_contentions", "count"}, {"delay", "mutex_delay", "nanoseconds"}}},
}

type goValue struct{ theirs, ours, unit string }

// goStackDepth is how many frames Go keeps of a stack in a profile, from the leaf (runtime.maxProfStackDepth, Go 1.23
// and newer): of one that long the root may be missing.
const goStackDepth = 128

var errNotGo = errors.New("not a profile of Go's")

// AddGoProfile adds a profile of a trial as runtime/pprof writes it, a gzipped profile.proto: one of [GoroutineProfile],
// taken at the hold, and [BlockProfile] and [MutexProfile], taken at the end. The data come from the profiled
// process and are checked; after an error nothing was added.
func (b *ProfileBuilder) AddGoProfile(trial int, name string, data []byte) error {
	told, err := b.read(trial, name, data, parseGo)
	if err != nil {
		return err
	}
	b.told = append(b.told, told)
	return nil
}

// placesOf finds the sample types of one of Go's profiles.
func placesOf(p *profile.Profile, name string) (value [len(sampleTypes)]int, err error) {
	for i := range value {
		value[i] = leftOut
	}
	known := false
	for _, g := range goProfiles {
		if g.name != name {
			continue
		}
		known = true
		for _, want := range g.values {
			column := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool {
				return t.Type == want.theirs && t.Unit == want.unit
			})
			if column < 0 {
				return value, fmt.Errorf("%w: no %s/%s", errNotGo, want.theirs, want.unit)
			}
			value[slices.Index(sampleTypes[:], profile.ValueType{Type: want.ours, Unit: want.unit})] = column
		}
	}
	if !known {
		return value, fmt.Errorf("%w: unknown %q", errNotGo, name)
	}
	return value, nil
}

// markCut labels the stacks that may go on beyond what Go keeps of one. Go has no such label itself.
func markCut(p *profile.Profile) {
	for _, s := range p.Sample {
		frames := 0
		for _, l := range s.Location {
			frames += max(1, len(l.Line))
		}
		delete(s.Label, cutLabel)
		if frames >= goStackDepth {
			s.Label = map[string][]string{cutLabel: {"true"}}
		}
	}
}

// entryOf is the function that a goroutine began with, the root of its stack; empty where that was not reached.
func entryOf(s *profile.Sample) string {
	if len(s.Location) == 0 || len(s.Label[cutLabel]) > 0 {
		return ""
	}
	root := s.Location[len(s.Location)-1].Line
	if len(root) == 0 {
		return ""
	}
	return root[len(root)-1].Function.Name
}
