package reports

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Folded draws one line a distinct stack, root first, with its value: what flamegraph.pl and speedscope read.
// A line of evidence follows where it is incomplete; readers skip it, as it does not end in a number.
func Folded(w io.Writer, v *View, opts Options) error {
	s, err := stacksOf(v, opts)
	if err != nil {
		return err
	}
	lines := map[string]int64{}
	for _, sample := range s.profile.Sample {
		if n := s.value(sample); n > 0 {
			lines[foldStack(stackFrames(sample))] += n
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

func foldStack(frames []frame) string {
	names := make([]string, len(frames))
	for i, f := range frames {
		names[i] = escapeFolded(f.name)
	}
	return strings.Join(names, ";")
}
