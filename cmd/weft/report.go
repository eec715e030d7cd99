package main

import (
	"bufio"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
)

func reportCommand() *cobra.Command {
	var format string
	var opts reports.Options
	cmd := &cobra.Command{
		Use:   "report DIRECTORY",
		Short: "Draw a recording again",
		Long:  "Draws the recording in a directory, anywhere and as any user: nothing is measured.",
		Example: "  weft report weft-20261122-150501\n" +
			"  weft report weft-20261122-150501 --format md > report.md\n" +
			"  weft report weft-20261122-150501 --format svg --kind heap --model go-threads > heap.svg",
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.ExactArgs(1)(cmd, args)) },
		RunE: func(cmd *cobra.Command, args []string) error {
			return report(cmd.OutOrStdout(), args[0], format, opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&format, "format", "text", "one of "+strings.Join(formatNames(), ", "))
	flags.StringVar(&opts.Kind, "kind", "", "what stacks show: one of "+strings.Join(kindNames(), ", "))
	flags.StringVar(&opts.Model, "model", "", "whose stacks; may be left out where there is one model")
	return cmd
}

func report(out io.Writer, dir, format string, opts reports.Options) error {
	rec, err := recording.Open(dir)
	if err != nil {
		return err
	}
	opts.Color = colored(out)
	buffered := bufio.NewWriter(out)
	if err := reports.Draw(buffered, reports.NewView(rec), format, opts); err != nil {
		return err
	}
	return buffered.Flush()
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

// colored follows no-color.org.
func colored(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }
