package main

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// The workers send so many bytes, each in one call; then they stay, parked.
const (
	pawns, pawnBytes = 8, 101
	rooks, rookBytes = 3, 1009
	locked           = 5
)

// worker is one goroutine that sent something.
type worker struct {
	Entry   string `json:"entry"`   // the function that it began with
	Creator string `json:"creator"` // the function with the go statement
	Goid    int64  `json:"goid"`
	Parent  int64  `json:"parent"` // goid of the one that made it
	Sent    int64  `json:"sent"`   // bytes
}

// ownThread is one thread that a goroutine is locked to and sleeps in.
type ownThread struct {
	Goid  int64  `json:"goid"`
	TID   int    `json:"tid"`
	Entry string `json:"entry"`
}

// troupe is how workers are started, and say what they did.
type troupe struct {
	sync.WaitGroup
	line   *line
	parent int64
	lock   sync.Mutex
	err    error
	said   []worker
}

func stepWorkers(t *truth, _ string) error {
	n, err := newLine()
	if err != nil {
		return err
	}
	w := &troupe{line: n, parent: goid()}
	spawnPawns(w)
	spawnRooks(w)
	w.Wait()
	t.Workers = w.said
	return w.err
}

//go:noinline
func spawnPawns(w *troupe) {
	w.Add(pawns)
	for range pawns {
		go pawn(w)
	}
}

//go:noinline
func spawnRooks(w *troupe) {
	w.Add(rooks)
	for range rooks {
		go rook(w)
	}
}

//go:noinline
func pawn(w *troupe) { w.work("pawn", "spawnPawns", pawnBytes) }

//go:noinline
func rook(w *troupe) { w.work("rook", "spawnRooks", rookBytes) }

func (w *troupe) work(entry, creator string, size int) {
	n, err := w.line.sender.Write(make([]byte, size))
	w.lock.Lock()
	w.said = append(w.said, worker{Entry: entry, Creator: creator, Goid: goid(), Parent: w.parent, Sent: int64(n)})
	if w.err == nil {
		w.err = err
	}
	w.lock.Unlock()
	w.Done()
	select {}
}

// stepThreads has goroutines locked to threads asleep at the same time, so that
// each needs one of its own.
func stepThreads(t *truth, _ string) error {
	said := make(chan ownThread)
	for range locked {
		go lockedNap(said)
	}
	for range locked {
		t.Threads = append(t.Threads, <-said)
	}
	return nil
}

//go:noinline
func lockedNap(said chan<- ownThread) {
	runtime.LockOSThread()
	me := ownThread{Goid: goid(), TID: syscall.Gettid(), Entry: "lockedNap"}
	nap(napTime)
	said <- me
	select {}
}

// goid is the number of the goroutine, as a traceback's first line has it.
func goid() int64 {
	var text [64]byte
	line := text[:runtime.Stack(text[:], false)]
	number, _, found := bytes.Cut(bytes.TrimPrefix(line, []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || !found {
		panic(fmt.Sprintf("traceback begins with %q", line))
	}
	return id
}
