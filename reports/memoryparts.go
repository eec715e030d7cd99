package reports

import (
	"fmt"
	"slices"

	"github.com/weft-profiler/weft/collector/recording"
)

// partShared is memory that the process shares with others, its portion of it.
const partShared = "shared"

// memoryOrder is the order of parts in a bar: first what a profiler of the program could see.
func memoryOrder() []string {
	return []string{recording.PartUser, partShared, recording.PartPageTables, recording.PartKernelStacks, recording.PartTasks,
		recording.PartSockets, recording.PartPolls, recording.PartKernel, recording.PartSocketBuffers}
}

// memoryPoint is a point of a trial's life whose memory is drawn.
type memoryPoint struct {
	label string
	kind  recording.Kind
	point string
}

func memoryPoints() []memoryPoint {
	return []memoryPoint{
		{"import only", recording.Control, recording.AtEnd},
		{"gate", recording.Measured, recording.AtGate},
		{"held", recording.Held, recording.AtHeld},
		{"end", recording.Measured, recording.AtEnd},
	}
}

// partSource is one part of one bar with its source, by each way it was found out.
type partSource struct {
	Model, Point, Way, Part, Bytes, Source string
}

// memoryBars is what the process costs at each point: of each model and point the trial whose sum is the median.
func memoryBars(v *View) (barChart, []partSource) {
	var rows []barRow
	var sources []partSource
	marks := modelMarks(v)
	for i := range v.Models {
		for _, p := range memoryPoints() {
			trials := v.trialsOf(v.Models[i].Name, p.kind)
			if p.kind == recording.Held {
				trials = widest(trials)
			}
			t := medianBy(trials, func(t *recording.Trial) (float64, bool) { return snapshotSum(t, p.point) })
			if t == nil {
				continue
			}
			s := t.Snapshots[p.point]
			row := barRow{Mark: marks[i], Label: p.label, Note: trialNumbers([]int{t.Number}), Values: snapshotParts(s)}
			if s.Waiting > 0 {
				row.Note += fmt.Sprintf(", %d waiting", s.Waiting)
			}
			rows = append(rows, row)
			sources = append(sources, costSources(marks[i].Name, p.label, s)...)
		}
	}
	return newBarChart(unitBytes, memoryOrder(), rows), sources
}

// widest are the trials with the greatest concurrency.
func widest(trials []*recording.Trial) []*recording.Trial {
	most := 0
	for _, t := range trials {
		most = max(most, t.Concurrency)
	}
	return slices.DeleteFunc(slices.Clone(trials), func(t *recording.Trial) bool { return t.Concurrency < most })
}

// snapshotParts splits what a process costs: the kernel's part by counts and sizes where that was done, else by
// the account of its cgroup, else only what /proc says.
func snapshotParts(s recording.Snapshot) map[string]float64 {
	parts := map[string]float64{recording.PartUser: float64(s.USSBytes), recording.PartPageTables: float64(s.PageTableBytes)}
	for _, way := range []string{recording.ByProc, recording.ByCgroup} {
		cost := s.Cost[way]
		if len(cost) == 0 {
			continue
		}
		parts = map[string]float64{recording.PartUser: float64(s.USSBytes)}
		for _, p := range cost {
			if slices.Contains(memoryOrder(), p.Name) {
				parts[p.Name] = float64(p.Bytes)
			}
		}
		break
	}
	parts[partShared] = max(0, float64(s.PSSBytes)-parts[recording.PartUser])
	return parts
}

func snapshotSum(t *recording.Trial, point string) (float64, bool) {
	s, ok := t.Snapshots[point]
	if !ok || s.USSBytes <= 0 {
		return 0, false
	}
	sum := 0.0
	for _, bytes := range snapshotParts(s) {
		sum += bytes
	}
	return sum, true
}

func costSources(model, point string, s recording.Snapshot) []partSource {
	var list []partSource
	for _, way := range []string{recording.ByProc, recording.ByCgroup} {
		for _, p := range s.Cost[way] {
			list = append(list, partSource{model, point, way, p.Name, formatBytes(float64(p.Bytes)), p.Source})
		}
	}
	return list
}

// Parts of a Go program's resident memory.
const (
	partHeapLive = "heap live"
	partHeapDead = "heap dead or free"
	partStacks   = "stacks"
	partRuntime  = "runtime"
	partFile     = "file-backed"
	partRest     = "rest"
)

// reconciliationBars splits resident memory with what the Go runtime says: of each model and point the measured trial
// whose resident memory is the median.
func reconciliationBars(v *View) barChart {
	var rows []barRow
	marks := modelMarks(v)
	for i := range v.Models {
		for _, point := range []string{recording.AtGate, recording.AtEnd} {
			t := medianBy(v.trialsOf(v.Models[i].Name, recording.Measured), func(t *recording.Trial) (float64, bool) {
				g, ok := t.GoMemory[point]
				return float64(g.RSSBytes), ok
			})
			if t == nil {
				continue
			}
			g := t.GoMemory[point]
			rows = append(rows, barRow{Mark: marks[i], Label: point, Note: trialNumbers([]int{t.Number}), Values: map[string]float64{
				partHeapLive: float64(g.HeapLive), partHeapDead: float64(g.HeapDead), partStacks: float64(g.Stacks),
				partRuntime: float64(g.Runtime), partFile: float64(g.FileBacked), partRest: float64(g.Rest),
			}})
		}
	}
	chart := newBarChart(unitBytes, []string{partHeapLive, partHeapDead, partStacks, partRuntime, partFile, partRest}, rows)
	chart.Over = overText{"resident", "counted, not resident"}
	return chart
}
