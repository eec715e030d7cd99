package reports

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// maxDepth bounds the height of a flame graph: callees beyond it are part of the deepest frame.
const maxDepth = 400

// flameGraph is a kind's stacks in the order of their functions' names, root first. A node of the graph is not
// stored: it is a range of neighbours that begin with the same names, whatever the lines of the calls. So the
// graph takes the memory of its stacks, and only what is wide enough to be seen is ever looked at.
type flameGraph struct {
	calls  []frame // distinct calls
	ranks  []int32 // of their names in the order of names
	stacks []callStack
	before []int64 // value of the stacks before each, and of all of them
	fresh  []int   // nodes of the stacks before each that are not shared with the one before them
	cut    int64   // value of the stacks whose root was not reached
	deep   int64   // value of the stacks that went on beyond maxDepth
}

// callStack is one stack: numbers of calls, root first.
type callStack struct {
	calls []int32
	value int64
}

// box is where a node is drawn.
type box struct {
	frame
	value    int64   // with callees
	depth    int     // rows above the root
	x, width float64 // in the unit of the layout's width
}

// newFlameGraph gathers the stacks.
func newFlameGraph(s *stacks) *flameGraph {
	g := &flameGraph{}
	n := numbering{graph: g, calls: map[frame]int32{}, locations: map[*profile.Location][]int32{}}
	for _, sample := range s.profile.Sample {
		value := s.value(sample)
		if value == 0 {
			continue
		}
		calls, whole := n.stack(sample)
		g.stacks = append(g.stacks, callStack{calls, value})
		if isCut(sample) {
			g.cut += value
		}
		if !whole {
			g.deep += value
		}
	}
	g.arrange()
	return g
}

// numbering gives calls their numbers, each location's once.
type numbering struct {
	graph     *flameGraph
	calls     map[frame]int32
	locations map[*profile.Location][]int32
}

// stack gives the calls of a sample, root first, and whether these are all.
func (n *numbering) stack(sample *profile.Sample) ([]int32, bool) {
	calls := make([]int32, 0, len(sample.Location)+1)
	if isCut(sample) {
		calls = append(calls, n.call(frame{name: cutName}))
	}
	for _, location := range slices.Backward(sample.Location) {
		numbers, ok := n.locations[location]
		if !ok {
			for _, f := range locationFrames(location) {
				numbers = append(numbers, n.call(f))
			}
			n.locations[location] = numbers
		}
		calls = append(calls, numbers...)
		if len(calls) > maxDepth {
			return calls[:maxDepth], false
		}
	}
	return calls, true
}

func (n *numbering) call(f frame) int32 {
	number, ok := n.calls[f]
	if !ok {
		number = int32(len(n.graph.calls))
		n.calls[f] = number
		n.graph.calls = append(n.graph.calls, f)
	}
	return number
}

// arrange puts the stacks into order, so that the drawing does not depend on the profile's, and sums them up.
func (g *flameGraph) arrange() {
	g.rank()
	slices.SortFunc(g.stacks, func(a, b callStack) int {
		shared := g.shared(a, b)
		if shared == len(a.calls) || shared == len(b.calls) {
			return cmp.Compare(len(b.calls), len(a.calls)) // callees stand left of the caller's own part
		}
		return cmp.Compare(g.ranks[a.calls[shared]], g.ranks[b.calls[shared]])
	})
	g.before, g.fresh = make([]int64, len(g.stacks)+1), make([]int, len(g.stacks)+1)
	for i, s := range g.stacks {
		g.before[i+1] = g.before[i] + s.value
		g.fresh[i+1] = g.fresh[i] + len(s.calls)
		if i > 0 {
			g.fresh[i+1] -= g.shared(g.stacks[i-1], s)
		}
	}
}

// rank numbers the names in their order: numbers compare faster than names.
func (g *flameGraph) rank() {
	order := make([]int, len(g.calls))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(g.calls[a].name, g.calls[b].name) })
	g.ranks = make([]int32, len(g.calls))
	for i, call := range order {
		if i > 0 && g.calls[order[i-1]].name == g.calls[call].name {
			g.ranks[call] = g.ranks[order[i-1]]
		} else {
			g.ranks[call] = int32(i)
		}
	}
}

// shared is how many functions two stacks have in common from the root on.
func (g *flameGraph) shared(a, b callStack) int {
	n := min(len(a.calls), len(b.calls))
	for i := range n {
		if g.ranks[a.calls[i]] != g.ranks[b.calls[i]] {
			return i
		}
	}
	return n
}

// total is the value of all stacks.
func (g *flameGraph) total() int64 { return g.before[len(g.stacks)] }

// layout gives every node that is at least least wide its box, callers before their callees, and counts the
// others. A node is as wide as its share of the whole, so that callees are never wider than their caller.
func (g *flameGraph) layout(width, least float64) (boxes []box, dropped int) {
	if g.total() == 0 {
		return nil, 0
	}
	scale := width / float64(g.total())
	var place func(from, to, depth int)
	place = func(from, to, depth int) {
		value := g.before[to] - g.before[from]
		if float64(value)*scale < least {
			dropped += g.nodes(from, to, depth)
			return
		}
		boxes = append(boxes, box{g.merged(from, to, depth), value, depth, float64(g.before[from]) * scale, float64(value) * scale})
		for from < to && len(g.stacks[from].calls) > depth {
			end := g.siblings(from, to, depth)
			place(from, end, depth+1)
			from = end
		}
	}
	place(0, len(g.stacks), 0)
	return boxes, dropped
}

// siblings is the end of the stacks that call the same function at a depth as the first of them does.
func (g *flameGraph) siblings(from, to, depth int) int {
	rank := g.ranks[g.stacks[from].calls[depth]]
	end := from + 1
	for end < to && len(g.stacks[end].calls) > depth && g.ranks[g.stacks[end].calls[depth]] == rank {
		end++
	}
	return end
}

// merged is the node of a range of stacks. Of the place of its calls it keeps what all of them share.
func (g *flameGraph) merged(from, to, depth int) frame {
	if depth == 0 {
		return frame{name: "all"}
	}
	node := g.calls[g.stacks[from].calls[depth-1]]
	for _, s := range g.stacks[from+1 : to] {
		call := &g.calls[s.calls[depth-1]]
		node.inlined = node.inlined && call.inlined
		if node.line != call.line {
			node.line = 0
		}
		if node.file != call.file {
			node.file, node.line = "", 0
		}
	}
	return node
}

// nodes is how many nodes there are from one of a range of stacks upwards, itself included.
func (g *flameGraph) nodes(from, to, depth int) int {
	return len(g.stacks[from].calls) - (depth - 1) + g.fresh[to] - g.fresh[from+1]
}
