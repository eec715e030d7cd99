package reports

import (
	"cmp"
	"iter"
	"slices"
	"strings"
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
	trials []int   // numbers of the trials that the values are summed over
	before []int64 // value of the stacks before each, and of all of them
	fresh  []int   // nodes of the stacks before each that are not shared with the one before them
	cut    int64   // value of the stacks whose root was not reached
	deep   int64   // value of the stacks that went on beyond maxDepth
}

// callStack is one stack: numbers of calls, root first.
type callStack struct {
	calls []int32
	value int64
	trial int // its place in the graph's trials
}

// nodeRange is the stacks that go through a node, and how many frames below it are callers.
type nodeRange struct{ from, to, depth int }

// box is where a node is drawn.
type box struct {
	frame
	node     nodeRange
	value    int64   // with callees, summed over the trials
	depth    int     // rows above the root
	x, width float64 // in the unit of the layout's width
	diff     *difference
}

// newFlameGraph gathers the stacks. On stacks of off-CPU time the cause of the wait stands, as a frame of its own: so
// a function keeps all of its time together and shows what it waited for, and blocked and runnable are never one.
func newFlameGraph(s *stacks) *flameGraph {
	table := s.calls
	if table == nil {
		table = newCallTable(s.profile)
	}
	g := &flameGraph{calls: slices.Clone(table.calls), trials: s.trials}
	if len(g.trials) == 0 {
		g.trials = []int{0}
	}
	waits := map[string]int32{}
	for i, sample := range s.profile.Sample {
		for _, part := range s.parts(sample) {
			calls := table.stacks[i]
			if part.wait != "" {
				number, ok := waits[part.wait]
				if !ok {
					number = int32(len(g.calls))
					waits[part.wait] = number
					g.calls = append(g.calls, frame{name: part.wait, made: true})
				}
				calls = append(slices.Clip(calls), number)
			}
			g.stacks = append(g.stacks, callStack{calls, part.value, max(0, slices.Index(g.trials, table.trial[i]))})
			if table.cut[i] {
				g.cut += part.value
			}
			if table.deep[i] {
				g.deep += part.value
			}
		}
	}
	g.arrange()
	return g
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

// boxesAtFirst bounds what is set aside for boxes: a graph may have far more nodes than can be seen.
const boxesAtFirst = 1 << 18

// layout gives every node that is at least least wide its box, callers before their callees, and counts the
// others. A node is as wide as its share of the whole, so that callees are never wider than their caller. Where there
// is another graph to compare with, boxes say how they differ from it.
func (g *flameGraph) layout(width, least float64, with *comparing) (boxes []box, dropped int) {
	if g.total() == 0 {
		return nil, 0
	}
	scale := width / float64(g.total())
	root := nodeRange{0, len(g.stacks), 0}
	boxes = make([]box, 0, min(g.nodes(root), boxesAtFirst)) // they are big: to copy them takes longer than to make them
	var place func(n nodeRange, other nodeRange)
	place = func(n nodeRange, other nodeRange) {
		value := g.value(n)
		if float64(value)*scale < least {
			dropped += g.nodes(n)
			return
		}
		b := box{g.merged(n), n, value, n.depth, float64(g.before[n.from]) * scale, float64(value) * scale, nil}
		if with != nil {
			b.diff = with.difference(g, n, other)
		}
		boxes = append(boxes, b)
		var theirs map[string]nodeRange
		if with != nil {
			theirs = with.other.callees(other)
		}
		for callee := range g.each(n) {
			place(callee, theirs[g.name(callee)])
		}
	}
	var other nodeRange
	if with != nil {
		other = nodeRange{0, len(with.other.stacks), 0}
	}
	place(root, other)
	return boxes, dropped
}

// value of a node with its callees.
func (g *flameGraph) value(n nodeRange) int64 { return g.before[n.to] - g.before[n.from] }

// each gives the callees of a node in their order.
func (g *flameGraph) each(n nodeRange) iter.Seq[nodeRange] {
	return func(yield func(nodeRange) bool) {
		for from := n.from; from < n.to && len(g.stacks[from].calls) > n.depth; {
			end := g.siblings(from, n.to, n.depth)
			if !yield(nodeRange{from, end, n.depth + 1}) {
				return
			}
			from = end
		}
	}
}

// callees gives them by name.
func (g *flameGraph) callees(n nodeRange) map[string]nodeRange {
	list := map[string]nodeRange{}
	for callee := range g.each(n) {
		list[g.name(callee)] = callee
	}
	return list
}

// name of a node's function.
func (g *flameGraph) name(n nodeRange) string {
	if n.depth == 0 {
		return rootName
	}
	return g.calls[g.stacks[n.from].calls[n.depth-1]].name
}

// byTrial is a node's value in each trial.
func (g *flameGraph) byTrial(n nodeRange) []int64 {
	values := make([]int64, len(g.trials))
	if len(values) == 1 {
		values[0] = g.value(n)
		return values
	}
	for _, s := range g.stacks[n.from:n.to] {
		values[s.trial] += s.value
	}
	return values
}

// mean is what a sum over the trials is in one of them.
func (g *flameGraph) mean(sum int64) float64 { return float64(sum) / float64(len(g.trials)) }

// rootName is what the node below all stacks is called.
const rootName = "all"

// siblings is where the stacks end that share a node with the first.
func (g *flameGraph) siblings(from, to, depth int) int {
	rank := g.ranks[g.stacks[from].calls[depth]]
	end := from + 1
	for end < to && len(g.stacks[end].calls) > depth && g.ranks[g.stacks[end].calls[depth]] == rank {
		end++
	}
	return end
}

// merged is the node of a range of stacks. Of the place of its calls it keeps what all of them share.
func (g *flameGraph) merged(n nodeRange) frame {
	if n.depth == 0 {
		return frame{name: rootName, made: true}
	}
	node := g.calls[g.stacks[n.from].calls[n.depth-1]]
	for _, s := range g.stacks[n.from+1 : n.to] {
		call := &g.calls[s.calls[n.depth-1]]
		node.inlined = node.inlined && call.inlined
		node.kernel = node.kernel && call.kernel
		node.made = node.made && call.made
		if node.line != call.line {
			node.line = 0
		}
		if node.file != call.file {
			node.file, node.line = "", 0
		}
	}
	return node
}

// nodes is how many nodes there are from one upwards, itself included.
func (g *flameGraph) nodes(n nodeRange) int {
	return len(g.stacks[n.from].calls) - (n.depth - 1) + g.fresh[n.to] - g.fresh[n.from+1]
}
