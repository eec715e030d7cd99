package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

// compareOptions is what the command line of weft compare says.
type compareOptions struct {
	plan    workload.Plan
	origin  origin.Config
	noReuse bool
	hold    bool
	profile bool
	article bool
	url     string
	timeout time.Duration
	output  string
	force   bool
	quiet   bool
	json    bool
	list    bool
	python  string // the interpreter, empty for the system's
	named   bool   // the models were named: each has to run
	command []string
	tables  collector.Options // the kernel side's tables; the zero value is their default sizes
}

func defaultCompareOptions() compareOptions {
	opts := compareOptions{
		plan:    workload.Plan{Controls: 1},
		origin:  origin.DefaultConfig(),
		command: os.Args,
	}
	opts.origin.Version = version
	return opts
}

func compareCommand() *cobra.Command {
	opts := defaultCompareOptions()
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Run the same work under several concurrency models and compare what it costs",
		Long: "Fetches pages from an origin of its own, parses the prices out of each and sorts them, under each\n" +
			"model in a process of its own, and reports what each model cost. Needs root.\n\n" +
			"After a warm-up, which is thrown away, each model has measured trials, which are timed; then\n" +
			"pairs in which the origin holds its answers, at a fifth of the concurrency and at all of it: what a\n" +
			"waiting task costs (three pairs in Go, whose memory grows in leaps, one in Python; one trial, and no\n" +
			"such figure, where a model is sequential or decides itself how many it has in flight); in Python one\n" +
			"in which every allocation is traced, for the heap alone; one without work, which is what the\n" +
			"program costs; and two that are profiled, with a third where their work took less than a second,\n" +
			"and more, up to six or 5 s, where they have fewer than 1,000 samples of the CPU together. Held and\n" +
			"traced trials fetch as many pages as can be in flight at once, and so does the warm-up, which is of\n" +
			"the model with most in flight and has the origin make the pages; all else fetches all of them.\n\n" +
			"--article repeats the experiment that weft began with. It stands for\n" +
			"  " + articleText() + "\n" +
			"where these flags are not given, and for all models, with py-threads.own, py-gevent.own and\n" +
			"py-asyncio.own: the same with as many in flight as the library takes by itself. With --url the\n" +
			"latency is that origin's.",
		Example: "  sudo weft compare\n" +
			"  sudo weft compare -n 1000 -c 500 --latency 100ms --models go-threads,go-goroutines\n" +
			"  sudo weft compare --article --rate 5.9\n" +
			"  sudo weft compare --json > result.json",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.list {
				return listModels(cmd.Context(), cmd.OutOrStdout(), opts.python)
			}
			if err := opts.settle(cmd.Flags()); err != nil {
				return err
			}
			return compare(cmd, opts)
		},
	}
	compareFlags(cmd, &opts)
	return cmd
}

func compareFlags(cmd *cobra.Command, opts *compareOptions) {
	flags := cmd.Flags()
	flags.IntVarP(&opts.plan.Requests, "requests", "n", 50, "`PAGES` a trial")
	flags.IntVarP(&opts.plan.Concurrency, "concurrency", "c", 50, "requests to have in flight at once")
	flags.IntVarP(&opts.plan.Runs, "runs", "r", 6, "measured trials a model")
	flags.IntVarP(&opts.plan.Warmups, "warmup", "w", 1, "trials that are thrown away, first, of the model with most in flight")
	flags.StringSliceVarP(&opts.plan.Models, "models", "m", modelNames(), "models, the first is the baseline; one that is named has to run")
	flags.Lookup("models").DefValue = "all of --list"
	flags.BoolVar(&opts.list, "list", false, "list the models, and whether they can run here, and exit")
	flags.StringVar(&opts.python, "python", "", "`INTERPRETER` of the models in Python (default "+workload.SystemPython+")")
	originFlags(flags, &opts.origin)
	flags.BoolVar(&opts.noReuse, "no-keepalive", false, "open a connection for each request")
	flags.BoolVar(&opts.hold, "hold", true, "trials in which the origin holds its answers: memory by held task;\n"+
		"on by default, --hold=false saves these trials")
	flags.BoolVar(&opts.profile, "profile", true, "trials that are profiled, or traced in Python: flame graphs, and which line\n"+
		"pays; on by default, --profile=false saves these trials")
	flags.BoolVar(&opts.article, "article", false, "repeat the article's experiment: see above")
	flags.Uint32VarP(&opts.tables.Frequency, "frequency", "F", collector.DefaultFrequency, "sample each CPU at `HZ`, in profiled trials")
	flags.Uint32Var(&opts.tables.MostStacks, "max-stacks", collector.DefaultMostStacks, "distinct `STACKS` of a profiled trial to keep, some 300 bytes each;\nwhat is beyond is counted as lost")
	flags.StringVar(&opts.url, "url", "", "a weft origin that runs elsewhere, http only")
	flags.DurationVar(&opts.timeout, "timeout", 2*time.Minute, "end a trial whose process lives longer than this")
	flags.StringVarP(&opts.output, "output", "o", "", "`DIRECTORY` to write, new (default weft-<time>)")
	flags.BoolVarP(&opts.force, "force", "f", false, "replace the recording in the output directory")
	flags.BoolVarP(&opts.quiet, "quiet", "q", false, "no progress")
	flags.BoolVar(&opts.json, "json", false, "print the report as JSON")
}

// articleFlag is a flag that --article gives another default.
type articleFlag struct{ name, value string }

// articleFlags is what --article stands for: the experiment of the article, with as many in flight as there are
// pages, and few runs, because one of go-sequential takes 29 seconds.
func articleFlags() []articleFlag {
	return []articleFlag{
		{"requests", "100"}, {"concurrency", "100"}, {"latency", "290ms"}, {"runs", "3"},
	}
}

// articleModels are all models, and beside each whose library has a concurrency of its own one with that: nobody
// knows which the article had.
func articleModels() []string {
	var names []string
	for _, m := range workload.Models() {
		names = append(names, m.Name)
		if m.HasOwn() {
			names = append(names, m.OwnName())
		}
	}
	return names
}

func articleText() string {
	var parts []string
	for _, a := range articleFlags() {
		parts = append(parts, "--"+a.name+" "+a.value)
	}
	return strings.Join(parts, " ")
}

// settle does what flags mean for other flags.
func (o *compareOptions) settle(flags *pflag.FlagSet) error {
	o.named = flags.Changed("models")
	for i, name := range o.plan.Models {
		o.plan.Models[i] = strings.TrimSpace(name)
	}
	if err := checkNotEmpty(flags, "url", "output", "python"); err != nil {
		return err
	}
	if err := checkURLAlone(flags, o.url); err != nil {
		return err
	}
	if o.tables.MostStacks < 1 {
		return usagef("--max-stacks 0: want at least 1")
	}
	for _, name := range []string{"frequency", "max-stacks"} {
		if !o.profile && flags.Changed(name) {
			return usagef("--%s and --profile=false: nothing is to be profiled", name)
		}
	}
	if f := o.tables.Frequency; f < 1 || f > collector.MaxFrequency {
		return usagef("--frequency %d: want 1 to %d", f, collector.MaxFrequency)
	}
	if o.article {
		if !o.named {
			o.plan.Models = articleModels()
		}
		return setArticle(flags)
	}
	return nil
}

// checkNotEmpty refuses a flag that was given nothing, which would do as if it had not been given.
func checkNotEmpty(flags *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if flags.Changed(name) && flags.Lookup(name).Value.String() == "" {
			return usagef("--%s is empty, perhaps from a variable that is not set: give it a value, or leave it out", name)
		}
	}
	return nil
}

// setArticle sets the flags that were not given.
func setArticle(flags *pflag.FlagSet) error {
	for _, a := range articleFlags() {
		if flags.Changed(a.name) {
			continue
		}
		// Not by flags.Set, after which the flag would count as given.
		if err := flags.Lookup(a.name).Value.Set(a.value); err != nil {
			return fmt.Errorf("--article: --%s %s: %w", a.name, a.value, err)
		}
	}
	return nil
}

// checkURLAlone refuses flags on weft's own origin beside the URL of another.
func checkURLAlone(flags *pflag.FlagSet, url string) error {
	if url == "" {
		return nil
	}
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	originFlags(own, new(origin.Config))
	var err error
	own.VisitAll(func(f *pflag.Flag) {
		if flags.Changed(f.Name) {
			err = usagef("--url and --%s: say %s where that origin is started", f.Name, f.Name)
		}
	})
	return err
}

func modelNames() []string {
	var names []string
	for _, m := range workload.Models() {
		names = append(names, m.Name)
	}
	return names
}

func listModels(ctx context.Context, out io.Writer, python string) error {
	as, err := userBehindSudo(os.Getenv)
	if err != nil {
		return err
	}
	found, _, err := availability(ctx, python, as, pythonModels(modelNames()))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range workload.Models() {
		can := found[m.Name].Runtime
		if !m.Python() {
			can = runtime.Version()
		} else if lacks := found[m.Name].Lacks; lacks != nil {
			can = "not available: " + lacks.Reason + ": " + lacks.Advice
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", m.Name, m.Summary, can)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: the same with as many in flight as the library takes by itself\n", strings.Join(workload.OwnNames(), ", "))
	return nil
}

// complete derives what the flags imply and refuses what can't be, before anything is made.
func (o *compareOptions) complete() error {
	o.plan.KeepAlive = !o.noReuse
	if o.hold {
		o.plan.Held = 3
	}
	if o.profile {
		o.plan.Profiled = 2
		o.plan.Traced = min(1, len(pythonModels(o.plan.Models)))
	}
	if o.output == "" {
		o.output = "weft-" + time.Now().Format("20060102-150405")
	}
	if o.timeout <= 0 {
		return usagef("timeout %v: give a trial more than no time", o.timeout)
	}
	if o.url != "" {
		if _, err := workload.CheckURL(o.url); err != nil {
			return usage(err)
		}
	}
	if err := checkOrigin(o.origin); err != nil {
		return err
	}
	return usage(o.plan.CheckValid())
}

// compare is weft compare: check, prepare, run the trials, report.
func compare(cmd *cobra.Command, opts compareOptions) (err error) {
	ctx := cmd.Context()
	if err := opts.complete(); err != nil {
		return err
	}
	if err := collector.Supported(); err != nil {
		return err
	}
	keepGoing()
	c := &comparison{options: opts, out: cmd.OutOrStdout(), log: cmd.ErrOrStderr()}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.prepare(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%w before the first trial", errInterrupted) // err is what was given up
		}
		return err
	}
	unwritten := c.trials(ctx)
	if err := c.closeCollector(); err != nil { // drawing takes memory of its own
		return errors.Join(unwritten, err)
	}
	return c.report(unwritten)
}

// prepare finds out everything that could be in the way, and then makes the output directory.
func (c *comparison) prepare(ctx context.Context) error {
	var err error
	if c.user, err = userBehindSudo(os.Getenv); err != nil {
		return err
	}
	if c.exe, err = os.Executable(); err != nil {
		return fmt.Errorf("find weft's own file: %w", err)
	}
	if err := c.lookAtPython(ctx); err != nil {
		return err
	}
	if err := c.openOrigin(ctx); err != nil {
		return err
	}
	if err := c.checkLimits(); err != nil {
		return err
	}
	if c.collector, err = collector.Open(c.options.tables); err != nil {
		return err
	}
	return c.openRecording()
}
