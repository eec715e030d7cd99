package reports

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Folded draws one line a distinct stack, root first, with its value: what flamegraph.pl and speedscope read.
// A line of evidence follows where it is incomplete; readers skip it, as it does not end in a number.
func Folded(w io.Writer, v *View, opts Options) error {
	s, err := stacksOf(v, opts)
	if err != nil {
		return err
	}
	lines := map[string]int64{}
	f := folding{locations: map[*profile.Location]string{}}
	for _, sample := range s.profile.Sample {
		if n := s.value(sample); n > 0 {
			lines[f.stack(sample)] += n
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("%w: the profile of %s has nothing of kind %s", ErrNoEvidence, s.model, s.kind.Name)
	}
	out := bufio.NewWriter(w)
	for _, stack := range slices.Sorted(maps.Keys(lines)) {
		fmt.Fprintf(out, "%s %d\n", stack, lines[stack])
	}
	if !v.Evidence.Complete() {
		e := &v.Evidence
		fmt.Fprintf(out, "# %s (%s)\n", e.String(), escapeTerminal(join("; ", e.lostText(), e.missingText())))
	}
	return out.Flush()
}

// folding escapes each location's frames once: a location stands in many stacks.
type folding struct {
	locations map[*profile.Location]string
	line      []byte // of the stack at hand; its memory serves the next
}

// stack gives the frames of a sample, root first, inlined calls as frames of their own.
func (f *folding) stack(sample *profile.Sample) string {
	f.line = f.line[:0]
	if isCut(sample) {
		f.add(escapeFolded(cutName))
	}
	for _, location := range slices.Backward(sample.Location) {
		f.add(f.location(location))
	}
	return string(f.line)
}

func (f *folding) add(frames string) {
	if len(f.line) > 0 {
		f.line = append(f.line, ';')
	}
	f.line = append(f.line, frames...)
}

func (f *folding) location(location *profile.Location) string {
	text, ok := f.locations[location]
	if !ok {
		var names []string
		for _, call := range locationFrames(location) {
			names = append(names, escapeFolded(call.name))
		}
		text = strings.Join(names, ";")
		f.locations[location] = text
	}
	return text
}
