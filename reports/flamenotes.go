package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// EnoughSamples is what a profile of the CPU needs: with 1000 samples a share of 10 % is known to about one per cent.
const EnoughSamples = 1000

// note is a line above the flames.
type note struct {
	text string
	loud bool
}

// goProfileNotes say how the profiles that Go's runtime keeps differ from what the kernel side sees.
var goProfileNotes = map[string]string{
	recording.KindGoroutine: "Go's own profile of the goroutines that there are while the answers are held.",
	recording.KindBlock:     "Go's own profile of waits for channels, conditions and locks that have ended: time of goroutines, not of threads.",
	recording.KindMutex:     "Go's own profile of waits for locks, those inside of its runtime too, at the stack that unlocked; block has the program's where they were waited for.",
}

// tracedNote is of a heap that was taken beside the profiled trials.
const tracedNote = "Every allocation of Python's own allocators since the gate that is in use while the answers are held, from a trial of its own: tracing them slows the program, so nothing else is taken from it."

// flameNotes say what the graph shows and what it cannot.
func flameNotes(v *View, s *stacks, g *flameGraph, dropped int, least float64) []note {
	share := func(n int64) string { return formatShare(float64(n) / float64(g.total())) }
	var notes []note
	if s.kind.Name == recording.KindCPU {
		notes = append(notes, sampleNote(s)...)
	}
	notes = append(notes, note{text: totalText(s.kind, g) + " A frame is as wide as its share of it; a dashed edge marks a call that was inlined into the frame below."})
	if isTraced(s.profile, s.kind) {
		notes = append(notes, note{text: tracedNote})
	}
	if text, ok := goProfileNotes[s.kind.Name]; ok {
		notes = append(notes, note{text: text})
	}
	if s.kind.Name == recording.KindOffCPU {
		notes = append(notes, note{text: waitsText(s, g)})
	}
	if t := v.totalOf(s.model, s.kind.Name); t != nil {
		notes = append(notes, note{t.String(), !t.Equal()})
	}
	if missing := v.Evidence.Extent.missingText(); missing != "" {
		notes = append(notes, note{"INCOMPLETE " + missing, true})
	}
	if v.Evidence.LostEvents > 0 {
		notes = append(notes, note{"LOST " + plural(v.Evidence.LostEvents, "event") + ": " + v.Evidence.lostText(), true})
	}
	for _, m := range v.Evidence.Missing {
		notes = append(notes, note{fmt.Sprintf("MISSING %s: %s", m.Probe, m.Reason), true})
	}
	if v.Evidence.recorded() {
		notes = append(notes, note{text: v.Evidence.recordedText()})
	}
	cut := note{text: "No stack was cut before its root."}
	if g.cut > 0 {
		cut = note{fmt.Sprintf("Stacks cut before their root: %s of the total.", share(g.cut)), true}
	}
	if dropped > 0 {
		cut.text += fmt.Sprintf(" Not drawn: %s narrower than %g pixel.", plural(int64(dropped), "frame"), least)
	}
	if g.deep > 0 {
		cut.text += fmt.Sprintf(" Deeper than %d frames: %s of the total, drawn up to there.", maxDepth, share(g.deep))
	}
	notes = append(notes, cut)
	if found := v.Evidence.foundOf(s.model, s.kind.Name); found != nil {
		notes = append(notes, note{text: found.String()})
	}
	return notes
}

// totalText is the total of one trial: what a graph shows does not grow with the number of trials.
func totalText(kind Kind, g *flameGraph) string {
	if len(g.trials) == 1 {
		return fmt.Sprintf("Total %s.", format(kind.Unit, float64(g.total())))
	}
	return fmt.Sprintf("Total %s a trial, the mean of %d profiled trials.", format(kind.Unit, g.mean(g.total())), len(g.trials))
}

// sampleNote says how many samples there are, loudly where they are too few.
func sampleNote(s *stacks) []note {
	at := slices.IndexFunc(s.profile.SampleType, func(t *profile.ValueType) bool { return t.Type == "samples" })
	if at < 0 {
		return nil
	}
	var n int64
	for _, sample := range s.profile.Sample {
		n += max(0, sample.Value[at])
	}
	if n < EnoughSamples {
		return []note{{plural(n, "sample") + ": too few.", true}}
	}
	return []note{{text: plural(n, "sample") + "."}}
}

// waitsText tells blocked time by cause and time without a CPU, the greatest first.
func waitsText(s *stacks, g *flameGraph) string {
	sums := map[string]int64{}
	var blocked, runnable int64
	for _, sample := range s.profile.Sample {
		for _, p := range s.parts(sample) {
			if p.wait == readyName {
				runnable += p.value
				continue
			}
			blocked += p.value
			sums[p.wait] += p.value
		}
	}
	causes := sortedByValue(sums)
	var list []string
	for _, cause := range firstOf(causes, 4) {
		list = append(list, fmt.Sprintf("%s %s", strings.Trim(cause, "[]"), format(s.kind.Unit, g.mean(sums[cause]))))
	}
	if len(causes) > len(list) {
		list = append(list, "…")
	}
	text := "Blocked " + format(s.kind.Unit, g.mean(blocked))
	if len(list) > 0 {
		text += " (" + strings.Join(list, ", ") + ")"
	}
	return text + ", ready without a CPU " + format(s.kind.Unit, g.mean(runnable)) +
		": the top frame of each stack says which. It is time of threads; a goroutine that waits has none."
}

func sortedByValue(sums map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(sums), func(a, b string) int {
		return cmp.Or(cmp.Compare(sums[b], sums[a]), strings.Compare(a, b))
	})
}
