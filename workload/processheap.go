package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Heap is a child's answer to heap: a gzipped pprof profile in the sample types
// of runtime/pprof, or what is in use by stack, as JSON, see the gate protocol.
// Neither is checked yet. Data is empty if the child has no such thing.
type Heap struct {
	Stacks bool // Data is JSON
	Data   []byte
}

// Heap asks for a heap profile. The child collects its garbage first. Only
// children whose Config says Profile are asked.
func (p *Process) Heap(ctx context.Context) (Heap, error) {
	if !p.cfg.Profile {
		return Heap{}, errors.New("ask for heap: the child was not started to be profiled")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	word, size, err := p.ask(ctx, wordHeap, wordHeap, wordStacks)
	if err != nil {
		return Heap{}, err
	}
	data, err := p.readBytes(ctx, wordHeap, size)
	return Heap{Stacks: word == wordStacks, Data: data}, err
}

// Profile asks for another profile of the runtime's by its name
// ([ProfileGoroutine] and so on): gzipped pprof in the sample types of Go's, not
// checked yet. It is empty where the child did not say, when it was ready, that
// it has it.
func (p *Process) Profile(ctx context.Context, name string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cfg.Profile || !slices.Contains(p.profiles, name) {
		return nil, nil
	}
	what := wordProfile + " " + name
	_, rest, err := p.ask(ctx, what, wordProfile)
	if err != nil {
		return nil, err
	}
	said, size := splitWord(rest)
	if said != name {
		return nil, unexpected(what, wordProfile, rest)
	}
	return p.readBytes(ctx, what, size)
}

// ask says a line and waits for one of the answers. The child's work may end in
// the meantime.
func (p *Process) ask(ctx context.Context, line string, answers ...string) (word, rest string, err error) {
	if err := p.say(line); err != nil {
		return "", "", err
	}
	for {
		word, rest, err := p.next(ctx)
		switch {
		case err != nil:
			return "", "", fmt.Errorf("wait for %s: %w", line, err)
		case word == wordDone && p.result == nil:
			if err := p.keep(rest); err != nil {
				return "", "", err
			}
		case slices.Contains(answers, word):
			return word, rest, nil
		default:
			return "", "", unexpected(line, word, rest)
		}
	}
}

// readBytes reads as many bytes as the child says that there are.
func (p *Process) readBytes(ctx context.Context, what, size string) ([]byte, error) {
	n, err := parseSize(what, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	var data []byte
	err = p.bounded(ctx, func() error {
		// Read in pieces: the size is what the child says, and only what it
		// sends takes memory.
		var err error
		data, err = io.ReadAll(io.LimitReader(p.in, int64(n)))
		if err == nil && len(data) < n {
			err = io.ErrUnexpectedEOF
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return data, nil
}
