package recording

import "fmt"

// Found says how the frames of one kind's stacks were found: how far they are to be trusted.
type Found struct {
	Kind   string           `json:"kind"`   // of the stacks: "cpu", "offcpu", "threadcreate", "socket", "replywait" or "rss"
	Widths map[string]int64 `json:"widths"` // of the frames in the flame graph, summed by how they were found ("register", "frame pointer", "inline table", "kernel unwinder", "first event"); a frame is as wide as its stack's value, in the kind's unit: ns, bytes or count
}

// FoundWays are the ways by which frames are found. Only the last takes a frame from another event than the one at hand.
func FoundWays() []string {
	return []string{FoundRegister, FoundFramePointer, FoundInlined, FoundUnwinder, FoundFirst}
}

// weights is what the stacks of a kind are drawn by, in the order of reports.
var weights = []struct {
	kind string
	of   func(*Values) int64
}{
	{KindCPU, func(v *Values) int64 { return v.CPUNS }},
	{KindOffCPU, func(v *Values) int64 { return v.BlockedNS + v.RunnableNS }},
	{KindThreadCreate, func(v *Values) int64 { return v.Threads }},
	{KindSocket, func(v *Values) int64 { return v.SentBytes + v.RecvBytes }},
	{KindReplyWait, func(v *Values) int64 { return v.ReplyWaitNS }},
	{KindRSS, func(v *Values) int64 { return v.RSSBytes }},
}

// FoundIn sums how the frames of a trial's stacks were found, kind by kind. A frame that was not found but made, such as
// that of a thread that has not run yet, is left out.
func FoundIn(stacks []Stack) []Found {
	var list []Found
	for _, w := range weights {
		widths := map[string]int64{}
		for i := range stacks {
			if stacks[i].Kind == w.kind {
				addWidths(widths, stacks[i].Frames, w.of(&stacks[i].Values))
			}
		}
		if len(widths) > 0 {
			list = append(list, Found{Kind: w.kind, Widths: widths})
		}
	}
	return list
}

func addWidths(widths map[string]int64, frames []Frame, width int64) {
	if width <= 0 {
		return // it is not drawn
	}
	for i := range frames {
		if way := frames[i].Found; way != "" {
			widths[way] += width
		}
	}
}

func (f *Found) checkValid() error {
	if err := checkLengths([]length{{"ways of finding frames", len(f.Widths), maxListed}}); err != nil {
		return err
	}
	var counts []count
	for way, width := range f.Widths {
		counts = append(counts, count{fmt.Sprintf("%s by %q", f.Kind, way), width})
	}
	return checkCounts(counts)
}
