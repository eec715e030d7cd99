// Command walk prints its own stack twice: as return addresses found by frame pointers, as the kernel finds
// them, and as the runtime names it. Then it waits for the end of its input, so that its mappings can be read.
package main

import (
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strings"
	"unsafe"
)

type frame struct {
	Function string
	File     string
	Line     int
}

type stack struct {
	Name      string
	Addresses []uint64
	Frames    []frame
}

func framePointer() uintptr

var stacks []stack

// capture notes the stack from its caller on.
//
//go:noinline
func capture(name string) {
	s := stack{Name: name}
	for fp := framePointer(); fp != 0; fp = *(*uintptr)(unsafe.Pointer(fp)) {
		s.Addresses = append(s.Addresses, uint64(*(*uintptr)(unsafe.Pointer(fp + 8))))
	}
	pcs := make([]uintptr, 128)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		s.Frames = append(s.Frames, frame{f.Function, f.File, f.Line})
	}
	stacks = append(stacks, s)
}

//go:noinline
func outer() { middle() }

func middle() { inlinedOnce() } // inlined into outer

func inlinedOnce() {
	inlinedTwice()
	keep++
}

func inlinedTwice() {
	leaf()
	keep++
}

var keep int

//go:noinline
func leaf() { capture("nested") }

type shape interface{ area() }

type square struct{ side int }

func (s square) area() { leafOf[int](s.side) }

type room struct{ square } // its area is a wrapper made by the compiler

//go:noinline
func leafOf[T any](T) { generic[map[string]T]() }

func generic[T any]() { capture("wrapped") }

func deferred() {
	defer func() { capture("deferred") }()
	keep++
}

func recovered() {
	defer func() {
		capture("panic")
		_ = recover()
	}()
	panic("for the test")
}

//go:noinline
func measure(s shape) { s.area() }

func main() {
	outer()
	measure(&room{square{keep}})
	deferred()
	recovered()
	done := make(chan bool)
	go func(name string) {
		strings.Map(func(r rune) rune { capture(name); return r }, "x")
		done <- true
	}("goroutine")
	<-done
	if err := json.NewEncoder(os.Stdout).Encode(stacks); err != nil {
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}
