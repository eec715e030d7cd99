package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

// The exit codes, as README.md lists them.
const (
	exitOK           = 0
	exitFailed       = 1   // something went wrong that has no code of its own, or trials failed
	exitUsage        = 2   // the command line asks for what can't be
	exitNotSupported = 3   // no root, or the kernel lacks what is needed
	exitOrigin       = 4   // no origin answers, or it serves another weft
	exitLimit        = 5   // the host lacks a package that a named model needs, or a limit of it is in the way
	exitRecording    = 6   // a recording can't be read
	exitInterrupted  = 130 // Ctrl-C, SIGTERM or SIGHUP; what was finished is kept and reported
)

var (
	errUsage       = errors.New("usage")
	errTrials      = errors.New("trials failed")
	errInterrupted = errors.New("interrupted")
)

// exitCodes maps errors to exit codes: the first that matches.
var exitCodes = []struct {
	err  error
	code int
}{
	{errInterrupted, exitInterrupted},
	{errTrials, exitFailed},
	{errUsage, exitUsage},
	{recording.ErrExists, exitUsage},
	{workload.ErrModel, exitUsage},
	{workload.ErrScheme, exitUsage},
	{reports.ErrFormat, exitUsage},
	{reports.ErrKind, exitUsage},
	{reports.ErrModel, exitUsage},
	{reports.ErrNoEvidence, exitFailed},
	{collector.ErrNotSupported, exitNotSupported},
	{origin.ErrUnreachable, exitOrigin},
	{origin.ErrNotOrigin, exitOrigin},
	{origin.ErrBusy, exitOrigin},
	{workload.ErrLimit, exitLimit},
	{workload.ErrUnavailable, exitLimit},
	{recording.ErrNotRecording, exitRecording},
	{recording.ErrDamaged, exitRecording},
	{recording.ErrUnreadable, exitRecording},
	{recording.ErrVersion, exitRecording},
}

// run is weft with its streams as parameters, so that tests run the real command.
func run(args []string, stdout, stderr io.Writer) int {
	cmd := rootCommand()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(context.Background())
	if err != nil {
		fmt.Fprintln(stderr, "weft:", err)
	}
	return exitCode(err)
}

// untilInterrupted ends with the first interrupt, which ends the work: what was measured is kept. A second one ends
// weft, unless it is SIGHUP: a terminal that is closed sends it twice, by the kernel and by the shell. Where nohup keeps
// it away, it stays away.
func untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	stopAll := stop
	if !signal.Ignored(syscall.SIGHUP) {
		hup, stopHup := signal.NotifyContext(ctx, syscall.SIGHUP)
		ctx, stopAll = hup, func() { stopHup(); stop() }
	}
	context.AfterFunc(ctx, stop)
	return ctx, stopAll
}

// keepGoing makes writing to a pipe that nobody reads any more an error of that write, from now on. Otherwise it ends
// weft at once, where the pipe is its standard output.
func keepGoing() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // who wants them need not read them
}

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	for _, e := range exitCodes {
		if errors.Is(err, e.err) {
			return e.code
		}
	}
	return exitFailed
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "weft",
		Short: "What does a task in flight cost, and which line of code pays for it?",
		Long: "weft runs the same work under several concurrency models, watches it from the kernel by eBPF, and\n" +
			"reports what each costs.",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(seeHelp)
	root.SetHelpCommand(helpCommand())
	root.AddCommand(interruptible(compareCommand()), reportCommand(), interruptible(originCommand()))
	return root
}

// helpCommand is cobra's, but for an unknown command, which is an error here.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return seeHelp(cmd.Root(), err)
			}
			if err := noArgs(about, rest); err != nil {
				return err
			}
			return about.Help()
		},
	}
}

// interruptible is for commands that look at their context, which the first interrupt ends. Other commands are ended by it
// themselves.
func interruptible(cmd *cobra.Command) *cobra.Command {
	work := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := untilInterrupted(cmd.Context())
		defer stop()
		cmd.SetContext(ctx)
		return work(cmd, args)
	}
	return cmd
}

// usageError is an error of the command line. It says what its cause says.
type usageError struct{ error }

func (e usageError) Is(target error) bool { return target == errUsage }
func (e usageError) Unwrap() error        { return e.error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// noArgs refuses arguments as an error of usage.
func noArgs(cmd *cobra.Command, args []string) error { return seeHelp(cmd, cobra.NoArgs(cmd, args)) }

// seeHelp makes what is wrong with a command line an error of usage.
func seeHelp(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: see %s --help", usage(err), cmd.CommandPath())
}
