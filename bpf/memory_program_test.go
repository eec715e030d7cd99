package bpf

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf/exectest"
)

// kinds are mappings of twice kindBytes, of which the first half is touched. The file is the program's own.
var kinds = []struct {
	name                string
	prot, flags, advice int
}{
	{"anonymous", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, unix.MADV_NOHUGEPAGE},
	{"huge", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, unix.MADV_HUGEPAGE},
	{"zero page", unix.PROT_READ, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, unix.MADV_NOHUGEPAGE},
	{"shared", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_ANONYMOUS, unix.MADV_NORMAL},
	{"file", unix.PROT_READ, unix.MAP_PRIVATE, unix.MADV_NORMAL},
	{"copied file", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE, unix.MADV_RANDOM},
}

const kindBytes = 2 << 20

// playKinds maps and touches one kind after the other, and then gives all back.
func playKinds(s stage, _ []string) error {
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer exe.Close()
	if err := s.pause("ready"); err != nil {
		return err
	}
	var all [][]byte
	var sum byte
	for _, kind := range kinds {
		fd, size := -1, 2*kindBytes
		if kind.flags&unix.MAP_ANONYMOUS == 0 {
			fd = int(exe.Fd())
		}
		memory, err := unix.Mmap(fd, 0, size, kind.prot, kind.flags)
		if err != nil {
			return err
		}
		if err := unix.Madvise(memory, kind.advice); err != nil && kind.advice != unix.MADV_HUGEPAGE { // not built in
			return err
		}
		for i := 0; i < kindBytes; i += 4096 {
			if sum += memory[i]; kind.prot&unix.PROT_WRITE != 0 {
				memory[i] = sum
			}
		}
		all = append(all, memory)
		if err := s.pause(strconv.FormatUint(uint64(uintptr(unsafe.Pointer(&memory[0]))), 10)); err != nil {
			return err
		}
	}
	for _, memory := range all {
		if err := unix.Munmap(memory); err != nil {
			return err
		}
	}
	return s.end(nil)
}

func mapPages(n int) ([]byte, error) {
	memory, err := unix.Mmap(-1, 0, n*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	return memory, unix.Madvise(memory, unix.MADV_NOHUGEPAGE)
}

func touch(memory []byte) {
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
}

// playTouch lets args[0] threads touch args[1] pages each and give them back: args[2] times. The truth is the time that
// touching took, ns.
func playTouch(s stage, args []string) error {
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(args[i]); err != nil {
			return err
		}
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	var elapsed atomic.Int64
	for range n[2] {
		done, leave := make(chan error), make(chan struct{})
		for range n[0] {
			go func() {
				runtime.LockOSThread()
				memory, err := mapPages(n[1])
				if err == nil {
					begin := time.Now()
					touch(memory)
					elapsed.Add(int64(time.Since(begin)))
				}
				done <- err
				<-leave
				done <- unix.Munmap(memory)
			}()
		}
		for _, word := range []string{"full", "empty"} {
			var errs []error
			for range n[0] {
				errs = append(errs, <-done)
			}
			if err := errors.Join(errs...); err != nil {
				return err
			}
			if err := s.pause(word); err != nil {
				return err
			}
			if word == "full" {
				for range n[0] {
					leave <- struct{}{}
				}
			}
		}
	}
	return s.end(elapsed.Load())
}

// playFork forks a child, without exec, that touches args[0] pages.
func playFork(s stage, args []string) error {
	pages, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	up, down := make([]int, 2), make([]int, 2)
	if err := errors.Join(unix.Pipe(up), unix.Pipe(down)); err != nil {
		return err
	}
	memory, err := mapPages(pages)
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	child, errno := forkAndTouch(memory, up[1], down)
	if errno != 0 {
		return errno
	}
	if _, err := unix.Read(up[0], make([]byte, 1)); err != nil {
		return err
	}
	if err := s.pause(strconv.Itoa(child)); err != nil {
		return err
	}
	if err := unix.Close(down[1]); err != nil {
		return err
	}
	if _, err := unix.Wait4(child, nil, 0, nil); err != nil {
		return err
	}
	return s.end(nil)
}

// forkAndTouch gives the child's pid. The child is one thread of a Go program that has lost the others: it calls
// nothing but the kernel.
//
//go:norace
func forkAndTouch(memory []byte, up int, down []int) (int, syscall.Errno) {
	var b [1]byte
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, _, errno := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0)
	if errno != 0 || pid != 0 {
		return int(pid), errno
	}
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(up), uintptr(unsafe.Pointer(&b)), 1)
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(down[1]), 0, 0)
	syscall.RawSyscall(syscall.SYS_READ, uintptr(down[0]), uintptr(unsafe.Pointer(&b)), 1) // until the parent closes it
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	panic("not reached")
}

// playReplace touches args[0] pages, and execs a program that touches a few.
func playReplace(s stage, args []string) error {
	pages, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	memory, err := mapPages(pages)
	if err != nil {
		return err
	}
	touch(memory)
	if err := s.pause("full"); err != nil {
		return err
	}
	if err := os.Setenv(exectest.ProgramEnv, "touch"); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", []string{"touch", "1", "23", "0"}, os.Environ())
}
