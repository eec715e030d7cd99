package reports

import (
	"maps"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Found says how the frames of one kind's stacks were found, over the profiled trials of a model.
type Found struct {
	Model  string     `json:"model"`
	Kind   string     `json:"kind"` // one of Kinds
	Ways   []FoundWay `json:"ways"`
	Trials []int      `json:"trials"` // their numbers
}

// FoundWay is one way, with what was found so.
type FoundWay struct {
	Way   string  `json:"way"`   // one of recording.FoundWays
	Share float64 `json:"share"` // of the width of all frames in the flame graph; weft's own words for a state are none
}

// foundWords name ways where more has to be said than their own name does.
var foundWords = map[string]string{recording.FoundFirst: "first event at the same place"}

func newFound(r *recording.Recording) []Found {
	list := []Found{}
	for _, model := range r.Run.Plan.Models {
		trials := trialsOf(r, model)
		for _, kind := range Kinds() {
			f := Found{Model: model, Kind: kind.Name, Trials: []int{}}
			if f.add(trials); len(f.Ways) > 0 {
				list = append(list, f)
			}
		}
	}
	return list
}

// add sums over trials. A recording of an older weft does not tell: then there are no ways.
func (f *Found) add(trials []*recording.Trial) {
	widths, sum := map[string]float64{}, 0.0
	for _, t := range trials {
		for _, of := range t.Found {
			if of.Kind != f.Kind {
				continue
			}
			f.Trials = withNumber(f.Trials, t.Number)
			for way, width := range of.Widths {
				widths[way] += float64(width)
				sum += float64(width)
			}
		}
	}
	known := recording.FoundWays()
	ways := slices.Clone(known)
	for _, way := range slices.Sorted(maps.Keys(widths)) {
		if !slices.Contains(known, way) { // of a newer weft
			ways = append(ways, way)
		}
	}
	for _, way := range ways {
		if widths[way] > 0 {
			f.Ways = append(f.Ways, FoundWay{way, widths[way] / sum})
		}
	}
}

// String is the line above a graph.
func (f *Found) String() string {
	var parts []string
	for _, w := range f.Ways {
		word, ok := foundWords[w.Way]
		if !ok {
			word = w.Way
		}
		parts = append(parts, word+" "+formatShare(w.Share))
	}
	return "How frames were found, by width: " + strings.Join(parts, ", ") + "."
}

// foundOf is that of one kind, nil where the recording does not tell.
func (e *Evidence) foundOf(model, kind string) *Found {
	i := slices.IndexFunc(e.Found, func(f Found) bool { return f.Model == model && f.Kind == kind })
	if i < 0 {
		return nil
	}
	return &e.Found[i]
}
