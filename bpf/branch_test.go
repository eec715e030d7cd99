package bpf

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// branches is how many bits tell one call path of playBranch from another.
const branches = 17

// playBranch sends a byte from each of so many call paths.
func playBranch(s stage, args []string) error {
	paths, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	from, _, err := socketPair("udp4") // what is not read is dropped
	if err != nil {
		return err
	}
	for path := range paths {
		if err := branch(from, path, branches); err != nil {
			return fmt.Errorf("path %d: %w", path, err)
		}
	}
	return s.end(paths)
}

func branch(fd, path, depth int) error {
	if depth == 0 {
		_, err := unix.Write(fd, []byte{23})
		return err
	}
	if path&1 == 0 {
		return left(fd, path, depth)
	}
	return right(fd, path, depth)
}

//go:noinline
func left(fd, path, depth int) error { return branch(fd, path>>1, depth-1) }

//go:noinline
func right(fd, path, depth int) error { return branch(fd, path>>1, depth-1) }

// However many stacks there are, each is there or counted: the tables are emptied while the program runs.
func TestManyStacks(t *testing.T) {
	const paths = 100_000
	w := watch(t, Options{Stacks: true}, "branch", strconv.Itoa(paths))
	ended, drained := make(chan struct{}), make(chan error)
	go func() {
		for {
			err := w.probes.DrainStacks()
			select {
			case <-ended:
				drained <- err
				return
			case <-time.After(5 * time.Millisecond):
			}
			if err != nil {
				drained <- err
				return
			}
		}
	}()
	w.Say("go")
	w.Decode(new(int))
	close(ended)
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	stacks, weights, err := w.probes.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	distinct, calls := map[uint64]bool{}, uint64(0)
	for key, weight := range weights {
		if key.Kind != StackSocket {
			continue
		}
		calls += weight.Count
		if _, ok := stacks[key.Stack]; ok {
			distinct[key.Stack] = true
		}
	}
	full, collided, unweighed := w.lost("stacks_full"), w.lost("stack_collision"), w.lost("weights_full")
	// Among what is lost may be other kinds' stacks and weights.
	if calls > paths || calls+unweighed < paths || uint64(len(distinct))+full+collided+unweighed < paths || len(distinct) == 0 {
		t.Errorf("%d calls of %d stacks; lost %d stacks that found no room, %d that collided, and %d weights: want %d of each in all",
			calls, len(distinct), full, collided, unweighed, paths)
	}
	t.Logf("%d of %d stacks are there, %d found no room", len(distinct), paths, full)
}

// A stack that has the hash of another one takes nothing from it, wherever the two meet.
func TestStacksThatCollide(t *testing.T) {
	tables := &stackTables{most: 2}
	tables.forget()
	one, other := Stack{User: []uint64{1, 2}}, Stack{Kernel: []uint64{1}, User: []uint64{2}}
	for _, s := range []Stack{one, one, other} {
		tables.learn(7, s)
	}
	if !tables.collided[7] || tables.lost[taskLossLOSS_STACK_COLLISION] != 1 || !tables.known[7].equal(one) {
		t.Errorf("%v, %d collisions, %v", tables.collided, tables.lost[taskLossLOSS_STACK_COLLISION], tables.known)
	}
	tables.learn(8, other)
	tables.learn(9, Stack{User: []uint64{3}})
	if tables.lost[taskLossLOSS_STACK_FULL] != 1 || len(tables.known) != 2 || len(tables.collided) != 1 {
		t.Errorf("%d found no room, %d known, %v", tables.lost[taskLossLOSS_STACK_FULL], len(tables.known), tables.collided)
	}
}
