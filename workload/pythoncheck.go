package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrUnavailable is a model that this host lacks something for.
var ErrUnavailable = errors.New("model not available")

// UnavailableError says what a model lacks, and how to get it.
type UnavailableError struct {
	Model  string
	Reason string // "/usr/bin/python3 has no gevent"
	Advice string // "apt-get install python3-gevent"
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%v: %s: %s: %s", ErrUnavailable, e.Model, e.Reason, e.Advice)
}

// Unwrap makes the error ErrUnavailable.
func (e *UnavailableError) Unwrap() error { return ErrUnavailable }

// pythonProbe is run by the interpreter that is looked at, which may be of any
// version. Its arguments are modules; it tells of the first that does not import.
const pythonProbe = `
import json, sys
told = {"version": "%d.%d.%d" % sys.version_info[:3], "old": sys.version_info < (3, 9),
        "venv": getattr(sys, "base_prefix", sys.prefix) != sys.prefix}
if not told["old"]:
    import importlib
    told["versions"] = []
    for name in sys.argv[1:]:
        try:
            module = importlib.import_module(name)
            told["versions"].append("%s %s" % (name, getattr(module, "__version__", "of unknown version")))
        except BaseException as error:
            told["module"] = name
            told["missing"] = isinstance(error, ImportError) and getattr(error, "name", None) == name
            told["error"] = "%s: %s" % (type(error).__name__, str(error)[:300])
            break
sys.stdout.write("\n" + json.dumps(told) + "\n")
`

// oldestPython is the first version that the scripts run with.
const oldestPython = "3.9"

// pythonFound is what the probe tells.
type pythonFound struct {
	Version  string   `json:"version"`
	Old      bool     `json:"old"`
	Venv     bool     `json:"venv"`
	Versions []string `json:"versions"` // "requests 2.28.1"
	Module   string   `json:"module"`   // the first that did not import
	Missing  bool     `json:"missing"`  // it is not there; else it failed
	Error    string   `json:"error"`
}

// probeWithin is how long an interpreter may take to import a model's libraries.
const probeWithin = 10 * time.Second

// Availability is what CheckPython found of one model.
type Availability struct {
	Runtime string            // "Python 3.11.2, requests 2.28.1"
	Lacks   *UnavailableError // nil if it can run
}

// CheckPython finds out which of the models in Python can run by the interpreter
// and as the user of the credential: each set of libraries is imported once, in
// a process of its own, all at the same time.
func CheckPython(ctx context.Context, interpreter string, credential *syscall.Credential, models []Model) map[string]Availability {
	var wg sync.WaitGroup
	answers := make(map[string]*probeAnswer)
	for _, m := range models {
		modules := strings.Join(m.modules(), " ")
		if !m.Python() || answers[modules] != nil {
			continue
		}
		answer := new(probeAnswer)
		answers[modules] = answer
		wg.Go(func() { answer.found, answer.err = probePython(ctx, interpreter, credential, m.modules()) })
	}
	wg.Wait()
	list := make(map[string]Availability)
	for _, m := range models {
		if answer := answers[strings.Join(m.modules(), " ")]; m.Python() {
			list[m.Name] = m.availability(interpreter, answer)
		}
	}
	return list
}

type probeAnswer struct {
	found pythonFound
	err   error
}

func (m Model) modules() []string {
	names := make([]string, len(m.libraries))
	for i, l := range m.libraries {
		names[i] = l.module
	}
	return names
}

// availability puts a probe's answer in words.
func (m Model) availability(interpreter string, answer *probeAnswer) Availability {
	found := answer.found
	a := Availability{Runtime: strings.Join(append([]string{"Python " + found.Version}, found.Versions...), ", ")}
	lacks := func(advice, reason string, args ...any) Availability {
		a.Lacks = &UnavailableError{Model: m.Name, Reason: fmt.Sprintf(reason, args...), Advice: advice}
		return a
	}
	const another = "name another interpreter by --python"
	switch {
	case answer.err != nil:
		return lacks(another, "%s: %v", interpreter, answer.err)
	case found.Old:
		return lacks(another, "%s is Python %s, and %s or newer is needed", interpreter, found.Version, oldestPython)
	case found.Module == "":
		return a
	case found.Missing:
		return lacks(m.install(interpreter, found), "%s has no %s", interpreter, found.Module)
	}
	return lacks("see why: "+interpreter+" -c 'import "+found.Module+"'",
		"%s does not import into %s: %s", found.Module, interpreter, found.Error)
}

// install is the command that brings all of a model's libraries to an
// interpreter.
func (m Model) install(interpreter string, found pythonFound) string {
	debian, pypi := "apt-get install", interpreter+" -m pip install"
	for _, l := range m.libraries {
		debian, pypi = debian+" "+l.debian, pypi+" "+l.pypi
	}
	if interpreter == SystemPython && !found.Venv {
		return debian
	}
	return pypi
}

// probePython imports modules in an interpreter of their own.
func probePython(ctx context.Context, interpreter string, credential *syscall.Credential, modules []string) (pythonFound, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, probeWithin, fmt.Errorf("no answer within %v", probeWithin))
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, append([]string{"-B", "-c", pythonProbe}, modules...)...)
	output, noise := new(extract), new(extract)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = Environ(), output, noise, outputGrace
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // whose end is the parent's for the signal
	defer runtime.UnlockOSThread()
	// What else has the output open, a process that an import left or one that is between fork and exec, is not waited for.
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return pythonFound{}, fmt.Errorf("%w%s", err, quoted(noise))
	}
	text := output.String()
	var found pythonFound
	if err := json.Unmarshal([]byte(text[strings.LastIndexByte(text, '\n')+1:]), &found); err != nil || found.Version == "" {
		return pythonFound{}, fmt.Errorf("it is no Python: it said %q%s", cut(text), quoted(noise))
	}
	return found, nil
}

// quoted is the end of what a program had to say, ready to end an error text.
func quoted(noise *extract) string {
	text := noise.String()
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": %q", strings.ToValidUTF8(text[max(0, len(text)-maxQuoted):], ""))
}
