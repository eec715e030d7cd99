package main

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// update is for `make bench`.
var update = flag.Bool("update", false, "write docs/overhead.md from docs/bench.txt")

const (
	benchOutput = "../../docs/bench.txt"
	overheadDoc = "../../docs/overhead.md"
	tablesBegin = "<!-- Written from bench.txt by make bench -->\n"
	tablesEnd   = "<!-- End of what make bench writes -->\n"
)

// The tables of docs/overhead.md are those of the kept output of `make bench`: no figure is copied by hand.
func TestOverheadDoc(t *testing.T) {
	data, err := os.ReadFile(overheadDoc)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(data), tablesBegin)
	_, tail, ended := strings.Cut(rest, tablesEnd)
	if !found || !ended {
		t.Fatalf("%s has lost %q or %q", overheadDoc, tablesBegin, tablesEnd)
	}
	want := head + tablesBegin + overheadTables(t) + tablesEnd + tail
	if *update {
		if err := os.WriteFile(overheadDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(data) != want {
		t.Errorf("%s differs from %s: go test ./cmd/weft -run TestOverheadDoc -update", overheadDoc, benchOutput)
	}
}

var (
	budgetLine  = regexp.MustCompile(`budget \| (.*) \| (.*) \| (.*) \| (ok|OVER) \| (.*)$`)
	programLine = regexp.MustCompile(`(\S+) (?:counters (\d+) runs, (\d+) ns each, )?with stacks (\d+) runs, (\d+) ns each`) // not all only count
	machineLine = regexp.MustCompile(`^(?:kernel|cpu): (.*)$|^go version (\S+)`)
	rawLine     = regexp.MustCompile(`(raw, % of the program's CPU: .*|raw with / without: .*|with counters / without probes, .*)$`)
)

func overheadTables(t *testing.T) string {
	file, err := os.Open(benchOutput)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var machine, budgets, programs, raw []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if m := machineLine.FindStringSubmatch(line); m != nil && len(machine) < 3 {
			machine = append(machine, m[1]+m[2])
		}
		if m := budgetLine.FindStringSubmatch(line); m != nil {
			verdict := strings.Replace(m[4], "OVER", "**over**", 1)
			budgets = append(budgets, fmt.Sprintf("| %s | %s | %s | %s | %s |", m[1], m[2], m[3], verdict, m[5]))
		}
		for _, m := range programLine.FindAllStringSubmatch(line, -1) {
			programs = append(programs, fmt.Sprintf("| %s | %s | %s | %s | %s |", m[1], cmp.Or(m[2], "-"), cmp.Or(m[3], "-"), m[4], m[5]))
		}
		if m := rawLine.FindString(line); m != "" {
			raw = append(raw, "    "+m)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(budgets) == 0 || len(programs) == 0 {
		t.Fatalf("%s has no budgets or no programs in it", benchOutput)
	}
	return fmt.Sprintf("\nThe figures are of one run: %s.\n\n"+
		"| budget | measured | limit | | how |\n|---|---|---|---|---|\n%s\n\n"+
		"Each program on that load, the last round of each way:\n\n"+
		"| program | runs, counters | ns each | runs, stacks | ns each |\n|---|---|---|---|---|\n%s\n\n"+
		"Raw values of the rounds:\n\n%s\n\n",
		strings.Join(machine, ", "), strings.Join(budgets, "\n"), strings.Join(programs, "\n"), strings.Join(raw, "\n"))
}
