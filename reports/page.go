package reports

import (
	"errors"
	"fmt"
	"html/template"
	"strings"
)

// page is report.html, computed: the template only places it.
type page struct {
	*View
	Policy      string
	Style       template.CSS
	Script      template.JS
	Headline    string
	Settings    string // what was set for the models
	Legend      []modelMark
	Columns     []pageColumn
	Rows        []pageRow
	Gauges      []pageGauge
	Peaks       []peakRow
	Flames      flameSet
	Payers      []*payers
	PayersAbout string
	Totals      []string // whether the stacks add up to their counters
	Threads     barChart
	Shares      barChart // the same, each bar as long as the axis
	Held        barChart
	HeldPairs   string // how many pairs of trials a bar is of, where that is the same for all
	Memory      barChart
	Sources     []partSource
	GoMemory    barChart
	Connections smallTable
	RunQueue    queueChart
	Trials      []trialRow
	Definitions []Metric
	Command     string
	Downloads   []packed
	Data        pageData
}

// pageData is what the script draws from.
type pageData struct {
	Models []modelMark `json:"models"`
	Gauges []Gauge     `json:"gauges"`
}

// modelMark is how a model looks in every chart: its color is that of its place, and lines differ by their dashes
// too.
type modelMark struct {
	Name  string `json:"name"`
	Class string `json:"class"`  // of colors.css
	Dash  []int  `json:"dash"`   // lengths of dashes and gaps, in pixels
	EndNS int64  `json:"end_ns"` // wall time of the trial that is drawn
}

// colorsOfModels is how many colors colors.css has for models: m0 to m8.
const colorsOfModels = 9

// dashes are as many as there are colors.
func dashes() [][]int {
	return [][]int{{}, {9, 4}, {2, 3}, {10, 3, 2, 3}, {5, 5}, {14, 4, 4, 4}, {7, 2, 2, 2, 2, 2}, {1, 5}, {16, 5}}
}

// newPage computes everything, and nothing twice.
func newPage(v *View) (*page, error) {
	script, err := bundle(scripts())
	if err != nil {
		return nil, err
	}
	style, err := bundle(styles())
	if err != nil {
		return nil, err
	}
	p := &page{View: v, Policy: policy(script, style), Script: template.JS(script), Style: template.CSS(style), Headline: headline(v), Settings: settings(&v.Run)}
	p.Legend = modelMarks(v)
	p.Columns = pageColumns(v)
	p.Rows = pageRows(v, p.Columns)
	p.Data = pageData{Models: p.Legend, Gauges: gauges(v)}
	for _, g := range p.Data.Gauges {
		p.Gauges = append(p.Gauges, pageGauge{g, absent(v, "Not in this recording", len(g.Curves) == 0)})
	}
	p.Peaks = peakRows(p.Legend, p.Data.Gauges)
	p.Threads = threadTimeBars(v)
	p.Shares = p.Threads.shares()
	p.Held, p.HeldPairs = heldBars(v)
	p.Memory, p.Sources = memoryBars(v)
	p.GoMemory = reconciliationBars(v)
	p.Connections = connectionsTable(v)
	p.RunQueue = newQueueChart(v)
	p.Trials = trialRows(v)
	p.Definitions = Metrics()
	p.Command = shellCommand(v.Run.Command)
	if err := p.addStacks(v); err != nil {
		return nil, err
	}
	p.Downloads, err = downloads(v)
	return p, err
}

// mostPayers is how many functions of a model the page has.
const mostPayers = 40

// addStacks reads each profile once.
func (p *page) addStacks(v *View) error {
	var failed error
	flames, err := newFlameSet(v, func(model string) {
		list, err := newPayers(v, model, mostPayers)
		if list != nil {
			p.Payers = append(p.Payers, list)
		}
		failed = errors.Join(failed, err)
	})
	p.Flames, p.PayersAbout, p.Totals = flames, payersAbout, totalsLines(v)
	return errors.Join(err, failed)
}

func modelMarks(v *View) []modelMark {
	var list []modelMark
	for i := range v.Models {
		m := modelMark{Name: escapeTerminal(v.Models[i].Name), Class: modelClass(i), Dash: modelDash(i)}
		if t := medianTrial(v, v.Models[i].Name); t != nil {
			m.EndNS = t.WorkNS()
		}
		list = append(list, m)
	}
	return list
}

func modelClass(i int) string { return fmt.Sprintf("m%d", i%colorsOfModels) }

// modelDash goes one on with each round of the colors, so that no two of the first 81 models look the same.
func modelDash(i int) []int {
	all := dashes()
	return all[(i+i/colorsOfModels)%len(all)]
}

// Dashes is the same as an attribute of SVG.
func (m modelMark) Dashes() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(m.Dash), " ", ","), "[]")
}

// pageGauge is the place of a chart over time.
type pageGauge struct {
	Gauge
	Absent string // why there is no chart
}

// absent says why something is not there.
func absent(v *View, what string, is bool) string {
	if !is {
		return ""
	}
	if len(v.Evidence.Missing) > 0 {
		return what + ": a probe is missing, see the findings."
	}
	return what + "."
}

// peakRow says in figures what the charts over time show of a model.
type peakRow struct {
	Mark  modelMark
	Trial int
	Cells []string // by gauge
}

func peakRows(marks []modelMark, list []Gauge) []peakRow {
	var rows []peakRow
	for i, mark := range marks {
		row := peakRow{Mark: mark, Cells: make([]string, len(list))}
		for g, gauge := range list {
			for _, c := range gauge.Curves {
				if c.Model == i {
					row.Trial, row.Cells[g] = c.Trial, format(gauge.Unit, float64(c.Greatest))
				}
			}
		}
		if row.Trial > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// shellCommand quotes a command line so that a shell takes it as it was.
func shellCommand(args []string) string {
	var list []string
	for _, arg := range args {
		list = append(list, shellWord(escapeTerminal(arg)))
	}
	return strings.Join(list, " ")
}

func shellWord(arg string) string {
	if arg == "" || strings.ContainsFunc(arg, func(r rune) bool { return !isPlain(r) }) {
		return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return arg
}

func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:=@+", r)
}
