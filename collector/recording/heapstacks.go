package recording

import (
	"fmt"
	"strings"

	"github.com/google/pprof/profile"
)

// heapStacks is what is in use by stack, as a child tells it that writes no pprof (workload/gate.go has the
// protocol). It comes from the profiled process.
type heapStacks struct {
	Frames []heapFrame `json:"frames"`
	Stacks []heapStack `json:"stacks"`
}

type heapFrame struct {
	Function string `json:"function"` // empty: not known
	File     string `json:"file"`
	Line     int64  `json:"line"`
}

type heapStack struct {
	Count  int64 `json:"count"`  // objects in use
	Size   int64 `json:"size"`   // bytes in use
	Cut    bool  `json:"cut"`    // the root is missing
	Frames []int `json:"frames"` // places in the list of frames, leaf first
}

// Bounds of what a child may tell.
const (
	maxStacksBytes = 256 << 20 // of JSON
	maxHeapDepth   = 512       // frames of one stack
	maxHeapName    = 4096      // bytes of a name
)

// cutLabel marks a sample whose stack was not seen up to its root.
const cutLabel = "cut"

// AddHeapStacks adds what a child in another language than Go tells of its heap in a trial, as JSON: what is in
// use at the hold, or at the end where there was none. What was allocated is not known. The data come from the profiled process and are checked; after an error nothing was added.
func (b *ProfileBuilder) AddHeapStacks(trial int, inUse []byte) error {
	heap, err := b.read(trial, heapProfileName, inUse, parseHeapStacks)
	if err != nil {
		return err
	}
	heap.traced = true
	b.told = append(b.told, heap)
	return nil
}

// parseHeapStacks makes a heap profile in the sample types of Go's.
func parseHeapStacks(data []byte) (*profile.Profile, error) {
	if len(data) > maxStacksBytes {
		return nil, fmt.Errorf("%w: stacks of more than %d bytes", ErrDamaged, maxStacksBytes)
	}
	var told heapStacks
	if err := parseJSON(data, &told); err != nil {
		return nil, err
	}
	if n := len(told.Frames) + len(told.Stacks); n > maxProfileRecords {
		return nil, fmt.Errorf("%w: %d frames and stacks", ErrDamaged, n)
	}
	p := &profile.Profile{PeriodType: &profile.ValueType{Type: "space", Unit: "bytes"}, Period: 1}
	for _, t := range sampleTypes[:heapTypes] {
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: t.Type, Unit: t.Unit})
	}
	for _, f := range told.Frames {
		addHeapFrame(p, f)
	}
	for i, s := range told.Stacks {
		if err := addHeapStack(p, s); err != nil {
			return nil, fmt.Errorf("%w: stack %d: %w", ErrDamaged, i, err)
		}
	}
	return p, p.CheckValid()
}

// addHeapFrame makes a location and a function of its own; the merger finds those that are equal.
func addHeapFrame(p *profile.Profile, f heapFrame) {
	function := &profile.Function{ID: uint64(len(p.Function) + 1), Filename: heapName(f.File), Name: heapName(f.Function)}
	if function.Name == "" {
		// Readers of profiles leave out what stands in angle brackets.
		function.Name = fmt.Sprintf("%s:%d", strings.Trim(heapName(f.File), "<>"), f.Line)
	}
	function.SystemName = function.Name
	p.Function = append(p.Function, function)
	p.Location = append(p.Location, &profile.Location{
		ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: function, Line: max(0, f.Line)}},
	})
}

// heapName is a name that a profile can hold.
func heapName(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxHeapName)], "?")
	return strings.ReplaceAll(s, "\x00", "?")
}

func addHeapStack(p *profile.Profile, s heapStack) error {
	if s.Count < 0 || s.Size < 0 {
		return fmt.Errorf("%d objects of %d bytes", s.Count, s.Size)
	}
	if len(s.Frames) > maxHeapDepth {
		return fmt.Errorf("%d frames", len(s.Frames))
	}
	sample := &profile.Sample{Value: []int64{0, 0, s.Count, s.Size}}
	for _, at := range s.Frames {
		if at < 0 || at >= len(p.Location) {
			return fmt.Errorf("frame %d of %d", at, len(p.Location))
		}
		sample.Location = append(sample.Location, p.Location[at])
	}
	if s.Cut {
		sample.Label = map[string][]string{cutLabel: {"true"}}
	}
	p.Sample = append(p.Sample, sample)
	return nil
}
