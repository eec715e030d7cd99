package recording

import (
	"slices"

	"github.com/google/pprof/profile"
)

// merger makes one profile of many. What is equal is found by comparable keys; a list (the calls inlined at
// a location, the locations of a stack) is the number of its tail with its head, so that no two differ only
// in how they are written down.
type merger struct {
	profile   *profile.Profile
	model     string
	totals    sampleValues
	values    map[sampleKey]*sampleValues
	stacks    map[stackKey]int
	lines     map[lineKey]int
	locations map[locationKey]*profile.Location
	functions map[functionKey]*profile.Function
	mappings  map[mappingKey]*profile.Mapping
	byFile    map[string][]*profile.Mapping
	places    map[placeKey]place
	labels    map[string][]string
}

// place is the location that was last found for an address. Stacks share most of theirs, and to find one anew takes the
// names of all calls there.
type (
	placeKey struct {
		binary string
		offset uint64
	}
	place struct {
		frames   []Frame
		location *profile.Location
	}
)

type (
	sampleKey struct {
		stack  int
		trial  int
		thread string
		on     Goroutine
		wait   string
		bytes  int64
		cut    bool
	}
	stackKey struct {
		callees  int // the stack below, 0 is empty
		location *profile.Location
	}
	lineKey struct {
		callees  int // the calls inlined below, 0 is none
		function *profile.Function
		line     profile.Line // with its function left out
	}
	locationKey struct {
		mapping *profile.Mapping
		address uint64
		lines   int
		folded  bool
	}
	functionKey struct {
		name, systemName, file string
		startLine              int64
	}
	mappingKey struct {
		file, buildID string
		size, offset  uint64 // both 0: the whole file, in addresses of its own
	}
)

func newMerger(model string) *merger {
	m := &merger{
		profile: &profile.Profile{
			DefaultSampleType: defaultSampleType,
			PeriodType:        &profile.ValueType{Type: "space", Unit: "bytes"},
		},
		model:     model,
		values:    make(map[sampleKey]*sampleValues),
		stacks:    make(map[stackKey]int),
		lines:     make(map[lineKey]int),
		locations: make(map[locationKey]*profile.Location),
		functions: make(map[functionKey]*profile.Function),
		mappings:  make(map[mappingKey]*profile.Mapping),
		byFile:    make(map[string][]*profile.Mapping),
		places:    make(map[placeKey]place),
		labels:    make(map[string][]string),
	}
	for _, t := range sampleTypes {
		m.profile.SampleType = append(m.profile.SampleType, &profile.ValueType{Type: t.Type, Unit: t.Unit})
	}
	return m
}

func (m *merger) addTold(h toldProfile) error {
	p := m.profile
	if h.name == heapProfileName {
		p.Period = max(p.Period, h.profile.Period)
	}
	if t := h.profile.TimeNanos; t > 0 && (p.TimeNanos == 0 || t < p.TimeNanos) {
		p.TimeNanos = t
	}
	if len(h.profile.Mapping) > 0 {
		m.heapMapping(h.profile.Mapping[0]) // first in a profile is the main program
	}
	for _, s := range h.profile.Sample {
		var values sampleValues
		for i, at := range h.value {
			if at != leftOut {
				values[i] = s.Value[at]
			}
		}
		key := sampleKey{trial: h.trial}
		key.cut = len(s.Label[cutLabel]) > 0
		if size := s.NumLabel["bytes"]; len(size) > 0 && h.name == heapProfileName {
			key.bytes = size[0]
		}
		if h.name == GoroutineProfile {
			key.on.Entry = entryOf(s)
		}
		stack := make([]*profile.Location, len(s.Location))
		for i, l := range s.Location {
			stack[i] = m.heapLocation(l)
		}
		if err := m.add(key, stack, values); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) addStack(trial int, s *Stack) error {
	var stack []*profile.Location
	for rest := s.Frames; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n-1].Inlined {
			n++
		}
		stack = append(stack, m.kernelLocation(rest[:n]))
		rest = rest[n:]
	}
	v := s.Values
	values := sampleValues{heapTypes: v.Threads, v.SentBytes, v.RecvBytes, v.Calls, v.Samples, v.CPUNS, v.Switches,
		v.BlockedNS, v.RunnableNS, v.Replies, v.ReplyWaitNS, v.RSSBytes}
	return m.add(sampleKey{trial: trial, thread: s.Thread, on: s.Goroutine, wait: s.Wait, cut: s.Cut}, stack, values)
}

// add adds values to the sample with a key and a stack.
func (m *merger) add(key sampleKey, stack []*profile.Location, values sampleValues) error {
	if values == (sampleValues{}) {
		return nil
	}
	if len(stack) == 0 {
		stack = []*profile.Location{m.location(locationKey{}, []profile.Line{{Function: m.function(functionKey{name: "[unknown]"})}})}
	}
	for i := len(stack) - 1; i >= 0; i-- {
		key.stack = number(m.stacks, stackKey{key.stack, stack[i]})
	}
	if err := m.totals.add(values); err != nil {
		return err
	}
	if sum, ok := m.values[key]; ok {
		return sum.add(values)
	}
	m.values[key] = &values
	m.profile.Sample = append(m.profile.Sample, m.sample(key, stack, values[:]))
	return nil
}

// sample makes a sample; its values may still grow.
func (m *merger) sample(key sampleKey, stack []*profile.Location, values []int64) *profile.Sample {
	s := &profile.Sample{
		Location: stack,
		Value:    values,
		Label:    map[string][]string{labelModel: m.labelled(m.model)},
		NumLabel: map[string][]int64{"trial": {int64(key.trial)}},
	}
	for _, label := range [...]struct{ name, value string }{
		{"thread", key.thread}, {"goroutine", key.on.Entry}, {"creator", key.on.Creator}, {"wait", key.wait},
	} {
		if label.value != "" {
			s.Label[label.name] = m.labelled(label.value)
		}
	}
	if key.on.ID != 0 {
		s.NumLabel["goid"] = []int64{int64(key.on.ID)}
	}
	if key.on.Parent != 0 {
		s.NumLabel["parent_goid"] = []int64{int64(key.on.Parent)}
	}
	if key.cut {
		s.Label[cutLabel] = m.labelled("true")
	}
	if key.bytes != 0 {
		s.NumLabel["bytes"] = []int64{key.bytes}
		s.NumUnit = map[string][]string{"bytes": m.labelled("bytes")}
	}
	return s
}

// labelled is a label's value as samples have it, which they share.
func (m *merger) labelled(value string) []string {
	list, ok := m.labels[value]
	if !ok {
		list = []string{value}
		m.labels[value] = list
	}
	return list
}

func (m *merger) heapLocation(l *profile.Location) *profile.Location {
	key := locationKey{address: l.Address, folded: l.IsFolded}
	if l.Mapping != nil {
		key.mapping = m.heapMapping(l.Mapping)
		key.address += key.mapping.Start - l.Mapping.Start
	}
	lines := make([]profile.Line, len(l.Line))
	for i, line := range l.Line {
		f := line.Function
		lines[i] = profile.Line{
			Function: m.function(functionKey{f.Name, f.SystemName, f.Filename, f.StartLine}),
			Line:     line.Line,
			Column:   line.Column,
		}
	}
	return m.location(key, lines)
}

// kernelLocation is one address with the calls inlined there.
func (m *merger) kernelLocation(frames []Frame) *profile.Location {
	physical := frames[len(frames)-1]
	key := placeKey{physical.Binary, physical.Offset}
	if known, ok := m.places[key]; ok && slices.EqualFunc(known.frames, frames, sameCall) {
		return known.location
	}
	lines := make([]profile.Line, len(frames))
	for i, f := range frames {
		function := m.function(functionKey{f.Function, f.Function, f.File, int64(f.StartLine)})
		lines[i] = profile.Line{Function: function, Line: int64(f.Line)}
	}
	location := m.location(locationKey{mapping: m.kernelMapping(physical), address: physical.Offset}, lines)
	m.places[key] = place{frames, location}
	return location
}

// sameCall says that two frames are the same call, however each was found.
func sameCall(a, b Frame) bool {
	a.Found, b.Found = "", ""
	return a == b
}

func (m *merger) location(key locationKey, lines []profile.Line) *profile.Location {
	for i := len(lines) - 1; i >= 0; i-- {
		line := profile.Line{Line: lines[i].Line, Column: lines[i].Column}
		key.lines = number(m.lines, lineKey{key.lines, lines[i].Function, line})
	}
	l, ok := m.locations[key]
	if !ok {
		l = &profile.Location{Mapping: key.mapping, Address: key.address, Line: lines, IsFolded: key.folded}
		m.locations[key] = l
		m.profile.Location = append(m.profile.Location, l)
		l.ID = uint64(len(m.profile.Location))
	}
	return l
}

func (m *merger) function(key functionKey) *profile.Function {
	f, ok := m.functions[key]
	if !ok {
		f = &profile.Function{Name: key.name, SystemName: key.systemName, Filename: key.file, StartLine: key.startLine}
		m.functions[key] = f
		m.profile.Function = append(m.profile.Function, f)
		f.ID = uint64(len(m.profile.Function))
	}
	return f
}

// heapMapping finds the same part of the same file, wherever another trial had it loaded.
func (m *merger) heapMapping(h *profile.Mapping) *profile.Mapping {
	key := mappingKey{h.File, h.BuildID, h.Limit - h.Start, h.Offset}
	return m.mapping(key, profile.Mapping{
		Start: h.Start, Limit: h.Limit, Offset: h.Offset, File: h.File, BuildID: h.BuildID,
		HasFunctions: h.HasFunctions, HasFilenames: h.HasFilenames,
		HasLineNumbers: h.HasLineNumbers, HasInlineFrames: h.HasInlineFrames,
	})
}

// kernelMapping finds the mapping of a frame. A program that is not position-independent runs at the
// addresses of its ELF file: then it is the heap's mapping, and the two share locations. Other files get a
// mapping in their own addresses, which says that all names are there: nobody should look for better ones.
func (m *merger) kernelMapping(f Frame) *profile.Mapping {
	if f.Binary == "" {
		return nil
	}
	for _, known := range m.byFile[f.Binary] {
		sameBuild := known.BuildID == f.BuildID || known.BuildID == ""
		if sameBuild && known.Start > 0 && f.Offset >= known.Start && f.Offset < known.Limit {
			return known
		}
	}
	own := m.mapping(mappingKey{file: f.Binary, buildID: f.BuildID}, profile.Mapping{
		File: f.Binary, BuildID: f.BuildID,
		HasFunctions: true, HasFilenames: true, HasLineNumbers: true, HasInlineFrames: true,
	})
	own.Limit = max(own.Limit, f.Offset+1)
	return own
}

func (m *merger) mapping(key mappingKey, otherwise profile.Mapping) *profile.Mapping {
	found, ok := m.mappings[key]
	if !ok {
		found = &otherwise
		m.mappings[key] = found
		m.byFile[key.file] = append(m.byFile[key.file], found)
		m.profile.Mapping = append(m.profile.Mapping, found)
		found.ID = uint64(len(m.profile.Mapping))
	}
	return found
}

// number numbers keys from 1 in the order they first come.
func number[K comparable](known map[K]int, key K) int {
	n, ok := known[key]
	if !ok {
		n = len(known) + 1
		known[key] = n
	}
	return n
}
