// Command goroutine prints what it knows of goroutines that hold a thread each, and waits for the end of its input, so
// that the same can be read from its memory.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

type goroutine struct {
	TID     int
	ID      uint64
	Parent  uint64 // 0 before Go 1.21, whose runtime does not know it
	Entry   string
	Creator string
}

var told = make(chan goroutine)

func main() {
	var all []goroutine
	for i := 0; i < 2; i++ {
		all = append(all, spawn(i), <-told)
	}
	json.NewEncoder(os.Stdout).Encode(all)
	io.Copy(io.Discard, os.Stdin)
}

// spawn makes one goroutine of a function with an argument, and one of a function without a name.
func spawn(i int) goroutine {
	go argument(i)
	first := <-told
	inlined()
	return first
}

func inlined() {
	go func() { hold("main.inlined.func1", "main.inlined") }()
}

func argument(int) { hold("main.argument", "main.spawn") }

// hold tells the goroutine and blocks its thread for good in a system call.
//
//go:noinline
func hold(entry, creator string) {
	runtime.LockOSThread()
	id, parent := goid()
	told <- goroutine{syscall.Gettid(), id, parent, entry, creator}
	var pipe [2]int
	syscall.Pipe(pipe[:])
	syscall.Read(pipe[0], make([]byte, 1))
}

// goid reads the runtime's own account: "goroutine 7 [running]:", and at the end "created by main.f in goroutine 1".
func goid() (id, parent uint64) {
	text := make([]byte, 64<<10)
	text = text[:runtime.Stack(text, false)]
	id, _ = strconv.ParseUint(string(bytes.Fields(text)[1]), 10, 64)
	if _, by, ok := strings.Cut(string(text), " in goroutine "); ok {
		parent, _ = strconv.ParseUint(strings.Fields(by)[0], 10, 64)
	}
	return id, parent
}
