package reports

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Folded draws one line a distinct stack, root first, with its value: what flamegraph.pl and speedscope read. A name of
// the kernel ends in "_[k]". Values are sums over the profiled trials, as in the pprof file. Compared with another model
// a line has two numbers, that model's first: what flamegraph.pl draws as a differential.
// A line of evidence follows where it is incomplete; readers skip it, as it does not end in a number.
func Folded(w io.Writer, v *View, opts Options) error {
	s, err := stacksOf(v, opts)
	if err != nil {
		return err
	}
	lines := fold(s)
	if len(lines) == 0 {
		return nothingOf(s)
	}
	v.totalsOf(s.model) // before the profile of another model is read
	out := bufio.NewWriter(w)
	if opts.CompareWith == "" {
		for _, stack := range slices.SortedFunc(maps.Keys(lines), byFrames) {
			fmt.Fprintf(out, "%s %d\n", stack, lines[stack])
		}
	} else {
		with, err := comparedStacks(v, opts)
		if err != nil {
			return err
		}
		before := fold(with)
		for stack := range before {
			lines[stack] += 0
		}
		for _, stack := range slices.SortedFunc(maps.Keys(lines), byFrames) {
			fmt.Fprintf(out, "%s %d %d\n", stack, before[stack], lines[stack])
		}
	}
	if t := v.totalOf(s.model, s.kind.Name); t != nil && !t.Equal() {
		fmt.Fprintf(out, "# %s\n", t)
	}
	if !v.Evidence.recorded() {
		e := &v.Evidence
		fmt.Fprintf(out, "# %s\n", join(" ", e.recordedText(), parenthesis(escapeTerminal(join("; ", e.lostText(), e.missingText())))))
	}
	return out.Flush()
}

// byFrames sorts by name, and stacks of a single frame last: Perfetto takes a file for a folded one only if each of its
// first three lines has a ";".
func byFrames(a, b string) int {
	if one, other := strings.Contains(a, ";"), strings.Contains(b, ";"); one != other {
		if one {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}

// fold sums values by stack.
func fold(s *stacks) map[string]int64 {
	lines := map[string]int64{}
	f := folding{table: s.calls, names: map[int32]string{}}
	for i, sample := range s.profile.Sample {
		for _, part := range s.parts(sample) {
			lines[f.stack(i, part.wait)] += part.value
		}
	}
	return lines
}

// folding escapes each call's name once: it stands in many stacks.
type folding struct {
	table *callTable
	names map[int32]string
	line  []byte // of the stack at hand; its memory serves the next
}

// stack gives the frames of a sample, root first, inlined calls as frames of their own.
func (f *folding) stack(i int, wait string) string {
	f.line = f.line[:0]
	for _, call := range f.table.stacks[i] {
		f.add(f.name(call))
	}
	if wait != "" {
		f.add(escapeFolded(wait))
	}
	return string(f.line)
}

func (f *folding) add(name string) {
	if len(f.line) > 0 {
		f.line = append(f.line, ';')
	}
	f.line = append(f.line, name...)
}

func (f *folding) name(call int32) string {
	text, ok := f.names[call]
	if !ok {
		text = escapeFolded(f.table.calls[call].name)
		if f.table.calls[call].kernel {
			text += "_[k]"
		}
		f.names[call] = text
	}
	return text
}
