package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
)

// topFunctions is how many functions a model --top names where it is not said.
const topFunctions = 20

func reportCommand() *cobra.Command {
	var format string
	var opts reports.Options
	cmd := &cobra.Command{
		Use:   "report DIRECTORY",
		Short: "Draw a recording again",
		Long:  "Draws the recording in a directory, anywhere and as any user: nothing is measured.",
		Example: "  weft report weft-20261122-150501\n" +
			"  weft report weft-20261122-150501 --format md > report.md\n" +
			"  weft report weft-20261122-150501 --top 30 --model go-threads\n" +
			"  weft report weft-20261122-150501 --format svg --kind heap --model go-threads > heap.svg\n" +
			"  weft report weft-20261122-150501 --format svg --kind offcpu --model go-threads --compare-with go-goroutines > diff.svg",
		Args: func(cmd *cobra.Command, args []string) error {
			return seeHelp(cmd, cobra.ExactArgs(1)(cmd, withoutTop(cmd, args, &opts)))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			args = withoutTop(cmd, args, &opts)
			if err := checkReport(format, opts, cmd.Flags().Changed("top")); err != nil {
				return err
			}
			return report(cmd.OutOrStdout(), args[0], format, opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", "text", "one of "+strings.Join(formatNames(), ", "))
	flags.StringVar(&opts.Kind, "kind", "", "what stacks show: one of "+strings.Join(kindNames(), ", "))
	flags.StringVar(&opts.Model, "model", "", "whose stacks; may be left out where there is one model")
	flags.StringVar(&opts.CompareWith, "compare-with", "", "another model: svg and folded show how its stacks differ")
	flags.IntVar(&opts.Top, "top", 0, fmt.Sprintf("who pays, by function, instead of the report: the first N functions of each model, or %d", topFunctions))
	flags.Lookup("top").NoOptDefVal = strconv.Itoa(topFunctions)
	return cmd
}

// withoutTop takes the number of "--top 30" away from the arguments: a flag that may stand alone does not take the word
// after it.
func withoutTop(cmd *cobra.Command, args []string, opts *reports.Options) []string {
	if !cmd.Flags().Changed("top") || len(args) != 2 {
		return args
	}
	for i, arg := range args {
		n, err := strconv.Atoi(arg)
		if err != nil {
			continue
		}
		if _, err := os.Stat(arg); err == nil {
			continue // a directory that is called so
		}
		opts.Top = n
		return slices.Delete(slices.Clone(args), i, i+1)
	}
	return args
}

// checkReport refuses what would be ignored.
func checkReport(format string, opts reports.Options, top bool) error {
	ofStacks := needsKind(format) || !slices.Contains(formatNames(), format) // what is no format is refused as such
	switch {
	case top && opts.Top < 1:
		return usagef("--top %d: choose 1 or more", opts.Top)
	case top && format != "text":
		return usagef("--top is drawn as text: leave out --format %s, which has it in the page where it is html", format)
	case opts.CompareWith != "" && !ofStacks:
		return usagef("--compare-with is for --format %s: report.html compares by a choice in the page", stackFormats())
	case opts.Kind != "" && !ofStacks:
		return usagef("--kind %s is for --format %s: leave it out", opts.Kind, stackFormats())
	case opts.Model != "" && !ofStacks && !top:
		return usagef("--model %s is for --format %s, and --top: leave it out, the report has all models", opts.Model, stackFormats())
	case opts.CompareWith != "" && opts.CompareWith == opts.Model:
		return usagef("--compare-with %s: choose another model than --model", opts.CompareWith)
	}
	return nil
}

// stackFormats are those that draw the stacks of one model and kind.
func stackFormats() string {
	var names []string
	for _, f := range reports.Formats() {
		if f.NeedsKind {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, " or ")
}

func report(out io.Writer, dir, format string, opts reports.Options) error {
	rec, err := recording.Open(dir)
	if err != nil {
		return err
	}
	opts.Color, opts.Width = colored(out), columnsOf(out)
	view, buffered := reports.NewView(rec), bufio.NewWriter(out)
	if err := reports.Draw(buffered, view, format, opts); err != nil {
		return err
	}
	ofOne := needsKind(format) || opts.Top > 0 && opts.Model != "" // it has read what it is about, and no other profile
	if err := buffered.Flush(); err != nil || ofOne {
		return err
	}
	if err := view.Unread(); err != nil {
		return fmt.Errorf("the report is without stacks that cannot be read: %w", err)
	}
	return nil
}

// needsKind says that a format draws the stacks of one model.
func needsKind(format string) bool {
	return slices.ContainsFunc(reports.Formats(), func(f reports.Format) bool { return f.Name == format && f.NeedsKind })
}

func formatNames() []string {
	var names []string
	for _, f := range reports.Formats() {
		names = append(names, f.Name)
	}
	return names
}

func kindNames() []string {
	var names []string
	for _, k := range reports.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// isTerminal says whether a person looks at the stream.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// columnsOf is how wide a terminal is; 0 where there is none, or it does not say.
func columnsOf(w io.Writer) int {
	if !isTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return width
}

// colored follows no-color.org.
func colored(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }
