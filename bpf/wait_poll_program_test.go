package bpf

import (
	"golang.org/x/sys/unix"
)

// The descriptors that are polled and selected: each with what it is to be ready for.
type polled func() (fd int, events int16, err error)

func eventFD() (int, int16, error) {
	fd, err := unix.Eventfd(0, 0)
	return fd, unix.POLLIN, err
}

func oneSocket() (int, int16, error) {
	_, fd, err := socketPair("tcp4")
	return fd, unix.POLLIN, err
}

func fullSocket() (int, int16, error) {
	fd, _, err := socketPair("tcp4")
	if err != nil {
		return 0, 0, err
	}
	return fd, unix.POLLOUT, fill(fd)
}

func listening() (int, int16, error) {
	fd, _, err := listen(1)
	return fd, unix.POLLIN, err
}

func connecting() (int, int16, error) {
	address, err := fullBacklog()
	if err != nil {
		return 0, 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, 0, err
	}
	connect := ends(unix.EINPROGRESS, unix.SYS_CONNECT, uintptr(fd), at(address), unix.SizeofSockaddrInet4)
	return fd, unix.POLLOUT, connect()
}

func onePipe() (int, int16, error) {
	var fds [2]int
	err := unix.Pipe(fds[:])
	return fds[0], unix.POLLIN, err
}

// beyond is above all the others, and select is not told of it but in a set.
func beyond() (int, int16, error) {
	fd, err := unix.Eventfd(0, 0)
	if err != nil {
		return 0, 0, err
	}
	fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 60) // in the word of the others
	return fd, 0, err
}

func exception() (int, int16, error) {
	_, fd, err := socketPair("tcp4")
	return fd, unix.POLLPRI, err
}

func waitPoll(of ...polled) func() (func() error, func() error, error) {
	return func() (func() error, func() error, error) {
		list := make([]unix.PollFd, len(of)+1) // one more: there is always a first one to point to
		for i, open := range of {
			fd, events, err := open()
			if err != nil {
				return nil, nil, err
			}
			list[i] = unix.PollFd{Fd: int32(fd), Events: events}
		}
		return ends(0, unix.SYS_POLL, at(&list[0]), uintptr(len(of)), uintptr(asked.Milliseconds())), nil, nil
	}
}

func waitSelect(of ...polled) func() (func() error, func() error, error) {
	return func() (func() error, func() error, error) {
		var readable, writable, excepted unix.FdSet
		most := 0
		for _, open := range of {
			fd, events, err := open()
			if err != nil {
				return nil, nil, err
			}
			switch events {
			case unix.POLLOUT:
				writable.Set(fd)
			case unix.POLLPRI:
				excepted.Set(fd)
			default:
				readable.Set(fd)
			}
			if events != 0 {
				most = max(most, fd)
			}
		}
		limit := unix.NsecToTimeval(int64(asked))
		return ends(0, unix.SYS_SELECT, uintptr(most+1), at(&readable), at(&writable), at(&excepted),
			at(&limit)), nil, nil
	}
}

func waitEpoll() (func() error, func() error, error) {
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		return nil, nil, err
	}
	fd, _, err := oneSocket()
	if err != nil {
		return nil, nil, err
	}
	events := make([]unix.EpollEvent, 1)
	return ends(0, unix.SYS_EPOLL_WAIT, uintptr(epoll), at(&events[0]), 1, uintptr(asked.Milliseconds())), nil,
		unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN})
}
