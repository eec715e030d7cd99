package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command says how a child is started.
type Command struct {
	Path       string              // of the executable
	Args       []string            // argv, without the Config that is added as last
	Config     Config              //
	Env        []string            // the whole environment; nil is Environ()
	Dir        string              // working directory; empty is weft's own
	Credential *syscall.Credential // whom to run as; nil is weft's own user
}

// ModelCommand returns the command that runs a model in Go inside the executable
// at path, which is weft itself. For a model in Python see [Python.Command].
func ModelCommand(path string, m Model, cfg Config) Command {
	return Command{Path: path, Args: []string{childName, m.Name}, Config: cfg}
}

// allowedEnv are the variables that a child sees: what programs need to find
// themselves, and what tunes the runtimes under comparison. A name that ends
// in an underscore stands for all that begin with it.
func allowedEnv() []string {
	return append(tuningEnv(),
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_", "VIRTUAL_ENV")
}

// tuningEnv are those of them that change what is measured: they go with a result.
func tuningEnv() []string {
	return []string{
		"GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG", "GOTRACEBACK",
		"PYTHONPATH", "PYTHONHOME", "PYTHONHASHSEED", "PYTHONMALLOC", "PYTHONDONTWRITEBYTECODE",
		"MALLOC_ARENA_MAX", "LD_LIBRARY_PATH",
	}
}

// Setting is an environment variable that tunes a runtime.
type Setting struct{ Name, Value string }

// maxSetting bounds the value of a setting, in bytes.
const maxSetting = 1 << 10

// Settings returns what is set of the variables that change how the runtimes
// of children behave. An empty one counts as not set, as it does for them. A
// value that is too long to be told ends in "…".
func Settings() []Setting {
	var list []Setting
	for _, name := range tuningEnv() {
		value := os.Getenv(name)
		if len(value) > maxSetting {
			value = strings.ToValidUTF8(value[:maxSetting], "") + "…"
		}
		if value != "" {
			list = append(list, Setting{name, value})
		}
	}
	return list
}

// Environ returns the environment of children: this process's own, reduced to
// an allow-list, so that a result does not depend on what happened to be set
// and holds no secret.
func Environ() []string {
	env := []string{}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		for _, allowed := range allowedEnv() {
			if name == allowed || (strings.HasSuffix(allowed, "_") && strings.HasPrefix(name, allowed)) {
				env = append(env, pair)
				break
			}
		}
	}
	return env
}

// ExitStatus is how a process ended: by Signal if that is not 0, otherwise
// with Code.
type ExitStatus struct {
	Code   int
	Signal syscall.Signal
}

// String returns "exit code 3" or "signal 9 (killed)".
func (s ExitStatus) String() string {
	if s.Signal != 0 {
		return fmt.Sprintf("signal %d (%v)", int(s.Signal), s.Signal)
	}
	return fmt.Sprintf("exit code %d", s.Code)
}

// leader is a running child: the leader of its process group.
type leader struct {
	pid    int
	output *extract      // standard output and standard error
	ended  chan struct{} // closed when the child is reaped; then status is set
	status ExitStatus

	mu     sync.Mutex
	reaped bool // the pid may belong to another process by now
}

// outputGrace is how long the output of a child's children is awaited after
// its own end.
const outputGrace = 500 * time.Millisecond

// start starts the child with its ends of the gate's pipes.
func (c Command) start(in, out *os.File) (*leader, error) {
	config, err := json.Marshal(c.Config)
	if err != nil {
		return nil, fmt.Errorf("encode config: %w", err)
	}
	if len(c.Args) == 0 {
		return nil, errors.New("start child: no arguments")
	}
	env := c.Env
	if env == nil {
		env = Environ()
	}
	output := &extract{}
	cmd := &exec.Cmd{
		Path: c.Path, Args: append(c.Args[:len(c.Args):len(c.Args)], string(config)),
		Env: env, Dir: c.Dir, Stdout: output, Stderr: output,
		ExtraFiles: []*os.File{in, out}, // descriptors 3 and 4
		WaitDelay:  outputGrace,
		SysProcAttr: &syscall.SysProcAttr{
			Setpgid:    true,
			Credential: c.Credential,
			Pdeathsig:  syscall.SIGKILL,
		},
	}
	l := &leader{output: output, ended: make(chan struct{})}
	started := make(chan error)
	go l.mind(cmd, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	return l, nil
}

// mind starts the child and waits for its end, both on one thread that lives
// as long: PR_SET_PDEATHSIG follows the thread that forked, and a Go thread
// can end before its program does.
func (l *leader) mind(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	l.pid = cmd.Process.Pid
	started <- nil
	awaitEnd(l.pid)
	l.mu.Lock()
	// The dead leader holds the group's number until it is reaped: what it
	// left running can be killed without hitting anybody else.
	_ = unix.Kill(-l.pid, unix.SIGKILL)
	l.reaped = true
	l.mu.Unlock()
	l.status = reap(cmd)
	close(l.ended)
}

// awaitEnd sleeps until the child is dead, and leaves it unreaped.
func awaitEnd(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// reap collects the exit status. Errors of copying output are not the child's
// end: what was copied is kept, and bounded anyway.
func reap(cmd *exec.Cmd) ExitStatus {
	if err := cmd.Wait(); err != nil && cmd.ProcessState == nil {
		return ExitStatus{Code: -1}
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return ExitStatus{Signal: ws.Signal()}
	}
	return ExitStatus{Code: cmd.ProcessState.ExitCode()}
}

func (l *leader) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.reaped {
		// Fails only for a group that is dead already.
		_ = unix.Kill(-l.pid, unix.SIGKILL)
	}
}

// lastWords is what the child wrote, ready to end an error text.
func (l *leader) lastWords() string {
	text := l.output.String()
	if text == "" {
		return ""
	}
	return fmt.Sprintf("; its output: %q", text)
}

// What is kept of a child's output, in bytes: the beginning, where a crashing
// Go program says why, and the end, where others do.
const (
	maxFirst = 1 << 10
	maxLast  = 3 << 10
)

// extract keeps the beginning and the end of what is written to it.
type extract struct {
	mu    sync.Mutex
	first []byte
	last  []byte
	lost  bool // something between the two
}

var _ io.Writer = (*extract)(nil)

func (e *extract) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(p), maxFirst-len(e.first))
	e.first = append(e.first, p[:n]...)
	rest := p[n:]
	e.lost = e.lost || len(e.last)+len(rest) > maxLast
	e.last = append(e.last, rest[max(0, len(rest)-maxLast):]...)
	if extra := len(e.last) - maxLast; extra > 0 {
		e.last = append(e.last[:0], e.last[extra:]...)
	}
	return len(p), nil
}

func (e *extract) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	between := ""
	if e.lost {
		between = " […] "
	}
	text := string(e.first) + between + string(e.last)
	return strings.TrimSpace(strings.ToValidUTF8(text, "?"))
}
