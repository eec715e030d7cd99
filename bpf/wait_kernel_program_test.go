package bpf

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The waits whose calls golang.org/x/sys/unix does not have.

const (
	// include/uapi/linux/io_uring.h
	ioUringEnterGetEvents = 1 << 0
	ioUringEnterExtArg    = 1 << 3

	// include/uapi/linux/userfaultfd.h
	uffdAPI              = 0xaa
	uffdioRegisterMissed = 1 << 0
	uffdioAPI            = 0xc018aa3f
	uffdioRegister       = 0xc020aa00
	uffdioZeroPage       = 0xc020aa04
)

// waitIOUring waits for a completion where nothing was submitted.
func waitIOUring() (func() error, func() error, error) {
	fd, errno := raw(unix.SYS_IO_URING_SETUP, 1, at(new([120]byte))) // struct io_uring_params: none
	if errno != 0 {
		return nil, nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	limit := unix.NsecToTimespec(int64(asked))
	wait := [3]uint64{2: uint64(at(&limit))} // struct io_uring_getevents_arg: its ts
	return ends(unix.ETIME, unix.SYS_IO_URING_ENTER, fd, 0, 1, ioUringEnterGetEvents|ioUringEnterExtArg,
		at(&wait), unsafe.Sizeof(wait)), nil, nil
}

// waitFault touches a page that is missing until the helper gives it. Garbage collection, which would wait for the
// thread that can't be stopped meanwhile, is off.
func waitFault() (func() error, func() error, error) {
	memory, give, err := missingPage()
	return func() error { touch(memory); return nil }, give, err
}

// waitFaultInCall has the kernel touch the page, in a call that would not be blocked otherwise: it counts as that
// call.
func waitFaultInCall() (func() error, func() error, error) {
	memory, give, err := missingPage()
	if err != nil {
		return nil, nil, err
	}
	var fds [2]int
	err = unix.Pipe(fds[:])
	return ends(0, unix.SYS_WRITE, uintptr(fds[1]), pointer(memory), 8), give, err
}

// missingPage gives a page that stays missing until it is given, with what gives it when a wait has lasted enough.
func missingPage() (memory []byte, give func() error, err error) {
	fd, errno := raw(unix.SYS_USERFAULTFD, 0)
	if errno != 0 {
		return nil, nil, fmt.Errorf("userfaultfd: %w", errno)
	}
	if memory, err = mapPages(1); err != nil {
		return nil, nil, err
	}
	control := func(request, first uintptr, more ...uint64) error {
		argument := [4]uint64{uint64(first)}
		copy(argument[1:], more)
		if _, errno := raw(unix.SYS_IOCTL, fd, request, at(&argument)); errno != 0 {
			return fmt.Errorf("userfaultfd, ioctl %#x: %w", request, errno)
		}
		return nil
	}
	if err := control(uffdioAPI, uffdAPI); err != nil {
		return nil, nil, err
	}
	page := uintptr(unsafe.Pointer(&memory[0]))
	give = func() error {
		nap(helped)
		return control(uffdioZeroPage, page, uint64(len(memory)))
	}
	return memory, give, control(uffdioRegister, page, uint64(len(memory)), uffdioRegisterMissed)
}
