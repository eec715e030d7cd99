package workload

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What can become of a child, beside success. Each is in the chain of the
// error that tells it.
var (
	// ErrNotReady: the child did not say ready in time.
	ErrNotReady = errors.New("child is not ready")
	// ErrSetup: the child said that it cannot work.
	ErrSetup = errors.New("child cannot start its work")
	// ErrProtocol: the child said what the protocol does not allow.
	ErrProtocol = errors.New("child broke the gate protocol")
	// ErrDied: the child ended on its own, or was killed.
	ErrDied = errors.New("child died")
)

const (
	exitGrace  = 5 * time.Second // from Release to the child's end
	deathGrace = time.Second     // from the end of a child's pipe to its own
)

// Process is a child on its way through the gate. Its methods are called in
// the order Ready, Go, Heap, Profile and Done, Release, Wait; Heap and Profile
// may also follow Done, and Speaks may stand before each of them. Kill and PID
// may be called at any time, from any goroutine.
type Process struct {
	cfg     Config
	started time.Time
	ctx     context.Context // bounds the whole life of the child
	cancel  context.CancelFunc
	leader  *leader

	toChild   *os.File
	fromChild *os.File

	mu       sync.Mutex // what the child says is read by one method at a time
	in       *bufio.Reader
	profiles []string // that it has, by its own account
	result   *Result  // said while the answer to heap or profile was awaited
}

// Start starts a child. When ctx ends, the child and its process group are
// killed; so they are when this process ends, however it ends. The caller has
// to Wait for every child it started.
func Start(ctx context.Context, cmd Command) (*Process, error) {
	childIn, toChild, err := pipe(true)
	if err != nil {
		return nil, err
	}
	fromChild, childOut, err := pipe(false)
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), toChild.Close())
	}
	l, err := cmd.start(childIn, childOut)
	closed := errors.Join(childIn.Close(), childOut.Close())
	if err = errors.Join(err, closed); err != nil {
		if l != nil {
			l.kill()
		}
		return nil, errors.Join(err, toChild.Close(), fromChild.Close())
	}
	p := &Process{
		cfg: cmd.Config, started: time.Now(), leader: l,
		toChild: toChild, fromChild: fromChild,
		in: bufio.NewReaderSize(fromChild, maxLine),
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	context.AfterFunc(p.ctx, l.kill)
	return p, nil
}

// pipe makes a pipe whose far end, the child's, blocks, as any program
// expects, and whose near end does not, so that reading from it can be ended.
func pipe(toChild bool) (read, write *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make gate pipe: %w", err)
	}
	near := fds[0]
	if toChild {
		near = fds[1]
	}
	if err := unix.SetNonblock(near, true); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("set up gate pipe: %w", err), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return pipeFile(uintptr(fds[0])), pipeFile(uintptr(fds[1])), nil
}

// PID returns the child's process, and process group.
func (p *Process) PID() int { return p.leader.pid }

// Exited is closed when the child has ended, for whoever waits for something
// that a dead child will never do.
func (p *Process) Exited() <-chan struct{} { return p.leader.ended }

// Ready waits until the child's set-up is over, and returns what it says of its
// memory then, nil if nothing. When ctx ends first, the error is ErrNotReady;
// when the child says that it cannot work, ErrSetup.
func (p *Process) Ready(ctx context.Context) (*GoMemory, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	word, rest, err := p.next(ctx)
	switch {
	case err != nil && p.ctx.Err() == nil && ctx.Err() != nil:
		return nil, fmt.Errorf("%w after %v: see what its set-up waits for (imports, resolving the origin's host)%s: %w",
			ErrNotReady, time.Since(p.started).Round(time.Millisecond), p.leader.lastWords(), context.Cause(ctx))
	case err != nil:
		return nil, fmt.Errorf("wait for ready: %w", err)
	case word == wordFailed:
		return nil, setupError(rest)
	case word != wordReady:
		return nil, unexpected(wordReady, word, rest)
	case rest == "":
		return nil, nil
	}
	r, err := parseReady(rest)
	p.profiles = r.Profiles
	return r.GoMemory, err
}

// setupError is what a child says after failed.
func setupError(text string) error {
	var failure setupFailure
	if err := json.Unmarshal([]byte(text), &failure); err != nil {
		return fmt.Errorf("%w: %q", ErrSetup, cut(text))
	}
	return fmt.Errorf("%w: %q", ErrSetup, failure.Error[:min(len(failure.Error), maxErrorText)])
}

// parseReady reads what a child says after ready.
func parseReady(text string) (readiness, error) {
	var r readiness
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return readiness{}, fmt.Errorf("%w: ready %q: %w", ErrProtocol, cut(text), err)
	}
	if err := r.CheckValid(); err != nil {
		return readiness{}, fmt.Errorf("%w: ready: %w", ErrProtocol, err)
	}
	return r, nil
}

// Go opens the gate.
func (p *Process) Go() error { return p.say(wordGo) }

// Release lets a child go that has said done. A child that has not ended five
// seconds later is killed.
func (p *Process) Release() error {
	grace := time.AfterFunc(exitGrace, p.leader.kill)
	context.AfterFunc(p.ctx, func() { grace.Stop() }) // p.ctx ends with Wait
	return p.say(wordExit)
}

// Speaks waits until the child has something to say, and leaves it to be read:
// of a child that was asked for nothing, that its work is over. The error is
// why it never will, ErrDied for one that has ended.
func (p *Process) Speaks(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.result != nil {
		return nil
	}
	err := p.bounded(ctx, func() error {
		_, err := p.in.Peek(1)
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for a word: %w", err)
	}
	return nil
}

// Done waits until the work is over and returns what the child says of it.
// The numbers are consistent with each other and with the child's Config;
// they are not otherwise to be trusted.
func (p *Process) Done(ctx context.Context) (Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.result == nil {
		word, rest, err := p.next(ctx)
		if err != nil {
			return Result{}, fmt.Errorf("wait for done: %w", err)
		}
		if word != wordDone {
			return Result{}, unexpected(wordDone, word, rest)
		}
		if err := p.keep(rest); err != nil {
			return Result{}, err
		}
	}
	return *p.result, nil
}

func (p *Process) keep(text string) error {
	var r Result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return fmt.Errorf("%w: result %q: %w", ErrProtocol, cut(text), err)
	}
	if err := r.CheckValid(p.cfg.Requests); err != nil {
		return fmt.Errorf("%w: result: %w", ErrProtocol, err)
	}
	p.result = &r
	return nil
}

func unexpected(want, word, rest string) error {
	return fmt.Errorf("%w: wanted %s, got %q", ErrProtocol, want, cut(word+" "+rest))
}

func (p *Process) say(word string) error {
	_, err := io.WriteString(p.toChild, word+"\n")
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("say %s: %w", word, p.gone())
	}
	return fmt.Errorf("say %s: %w", word, err)
}

// next reads the child's next line.
func (p *Process) next(ctx context.Context) (word, rest string, err error) {
	var line string
	err = p.bounded(ctx, func() error {
		var err error
		line, err = readLine(p.in)
		return err
	})
	if errors.Is(err, errLine) {
		return "", "", fmt.Errorf("%w: %w, beginning %q", ErrProtocol, errLine, line)
	}
	if err != nil {
		return "", "", err
	}
	word, rest = splitWord(line)
	return word, rest, nil
}

// bounded runs a read of the child's pipe that ends with ctx. The end of the
// pipe is told as what happened to the child.
func (p *Process) bounded(ctx context.Context, read func() error) error {
	if err := p.fromChild.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("gate pipe: %w", err)
	}
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		// Fails only on a closed pipe, whose read has ended already.
		_ = p.fromChild.SetReadDeadline(time.Unix(1, 0))
		close(set)
	})
	defer func() {
		if !stop() {
			<-set // or it would end the next read
		}
	}()
	err := read()
	switch {
	case err == nil || errors.Is(err, errLine):
		return err
	case p.ctx.Err() != nil:
		return fmt.Errorf("child killed: %w", context.Cause(p.ctx))
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return fmt.Errorf("no answer: %w", context.Cause(ctx))
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return p.gone()
	}
	return err
}

// gone says how a child ended whose pipe has ended.
func (p *Process) gone() error {
	select {
	case <-p.leader.ended:
		return fmt.Errorf("%w: %v%s", ErrDied, p.leader.status, p.leader.lastWords())
	case <-time.After(deathGrace):
		return fmt.Errorf("%w: it closed its pipe and lives on", ErrProtocol)
	}
}

// Wait waits until the child has ended and gives up what belongs to it. The
// error is nil if it ended with exit code 0, otherwise ErrDied. A child that
// was never released has to be killed first.
func (p *Process) Wait() (ExitStatus, error) {
	<-p.leader.ended
	p.cancel()
	// Nothing is lost with the pipes of a dead child.
	_ = p.toChild.Close()
	_ = p.fromChild.Close()
	if status := p.leader.status; status.Code != 0 || status.Signal != 0 {
		return status, fmt.Errorf("%w: %v%s", ErrDied, status, p.leader.lastWords())
	}
	return p.leader.status, nil
}

// Kill ends the child and its whole process group at once, without regard to
// its work. Wait still has to be called.
func (p *Process) Kill() { p.leader.kill() }
