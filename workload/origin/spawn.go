package origin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	spawnTime  = 10 * time.Second // for the child to listen
	closeGrace = 2 * time.Second  // from the end of its input to its own
	maxReport  = 4 << 10          // bytes of the child's line
)

// Spawn starts an origin in a process of its own, by running the executable
// exe, which is weft itself (see [IsChild]), as the given user (nil: the same).
// The child ends when this process does. The caller has to Close the handle.
func Spawn(ctx context.Context, exe string, cfg Config, as *syscall.Credential) (*Handle, error) {
	if err := cfg.CheckValid(); err != nil {
		return nil, err
	}
	p, report, err := startProcess(exe, cfg, as)
	if err != nil {
		return nil, fmt.Errorf("spawn origin: %w", err)
	}
	address, err := readReport(ctx, report)
	if err != nil {
		err = errors.Join(fmt.Errorf("spawn origin: %w", err), p.close())
		return nil, err
	}
	h, err := Connect(ctx, "http://"+reachable(address))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spawn origin: %w", err), p.close())
	}
	h.process = p
	return h, nil
}

// process is an origin's process.
type process struct {
	cmd   *exec.Cmd
	input io.Closer     // its standard input, whose end is its own
	ended chan struct{} // closed when it is reaped; then err and output are set

	err    error
	output *bytes.Buffer
}

func startProcess(exe string, cfg Config, as *syscall.Credential) (*process, *os.File, error) {
	config, err := json.Marshal(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("encode config: %w", err)
	}
	report, far, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make report pipe: %w", err)
	}
	p := &process{ended: make(chan struct{}), output: new(bytes.Buffer)}
	p.cmd = &exec.Cmd{
		Path: exe, Args: []string{childName, string(config)}, Env: environ(),
		Stderr:      &limited{to: p.output, left: maxReport},
		ExtraFiles:  []*os.File{far}, // descriptor 3
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Credential: as},
	}
	p.input, err = p.cmd.StdinPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err = errors.Join(err, far.Close()); err != nil {
		return nil, nil, errors.Join(err, report.Close())
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, report, nil
}

// environ is all that an origin needs: how its runtime is tuned.
func environ() []string {
	env := []string{}
	for _, name := range []string{"GOMAXPROCS", "GODEBUG", "GOTRACEBACK"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// readReport reads the child's one line, and closes report.
func readReport(ctx context.Context, report *os.File) (address string, err error) {
	defer func() { err = errors.Join(err, report.Close()) }()
	end := time.Now().Add(spawnTime)
	if by, ok := ctx.Deadline(); ok && by.Before(end) {
		end = by
	}
	if err := report.SetReadDeadline(end); err != nil {
		return "", fmt.Errorf("report pipe: %w", err)
	}
	line, err := bufio.NewReaderSize(io.LimitReader(report, maxReport), maxReport).ReadString('\n')
	line = strings.TrimSuffix(line, "\n")
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", fmt.Errorf("%w: it does not say where it listens", ErrUnreachable)
	case err != nil:
		return "", fmt.Errorf("%w: it ended without a word: %w", ErrUnreachable, err)
	}
	if address, ok := strings.CutPrefix(line, wordListening); ok {
		return address, nil
	}
	return "", errors.New(strings.TrimPrefix(line, wordFailed))
}

// reachable turns the address of all interfaces into one to connect to.
func reachable(address string) string {
	for _, all := range []string{"0.0.0.0:", "[::]:"} {
		if port, ok := strings.CutPrefix(address, all); ok {
			return "127.0.0.1:" + port
		}
	}
	return address
}

// close ends the process, at once if it does not do so by itself.
func (p *process) close() error {
	// The input of a process that has ended is closed already.
	_ = p.input.Close()
	select {
	case <-p.ended:
	case <-time.After(closeGrace):
		// Fails only if it has ended meanwhile.
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if p.err != nil {
		return fmt.Errorf("origin: %w: %q", p.err, strings.TrimSpace(p.output.String()))
	}
	return nil
}

// lastWords says how the process ended, if it has.
func (p *process) lastWords() string {
	select {
	case <-p.ended:
		return fmt.Sprintf("its process ended: %v: %q", p.cmd.ProcessState, strings.TrimSpace(p.output.String()))
	case <-time.After(100 * time.Millisecond):
		return ""
	}
}

// limited keeps the beginning of what is written to it, where a Go program
// that crashes says why.
type limited struct {
	to   *bytes.Buffer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	l.to.Write(p[:n]) // a buffer never fails
	return len(p), nil
}
