package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf/exectest"
)

const (
	asked  = 250 * time.Millisecond // what each wait lasts at least
	helped = 300 * time.Millisecond // when a helper ends one that has no time-out of its own
)

// refused begins what the program says, and nothing else, where the kernel does not have a call or does not let it.
const refused = "refused: "

// waitTruth is what the program says of its wait: the thread that waited, and how long it took by the program's own
// clock, from before the thread was told to begin.
type waitTruth struct {
	TID       int
	ElapsedNS int64
}

// wait is a way to be blocked: prepare makes what is needed, and gives the call that waits and, where the call has no
// time-out, what ends it. Calls are raw: the Go runtime must not know, so that it neither takes the thread's
// processor away nor wakes it up.
type wait struct {
	name    string
	cause   Activity
	prepare func() (call, help func() error, err error)
}

var waits = []wait{
	{"read of a TCP socket", ActivitySocketRead, waitTransfer("tcp4", unix.SYS_READ)},
	{"recvfrom of a TCP socket", ActivitySocketRead, waitTransfer("tcp4", unix.SYS_RECVFROM)},
	{"read of a unix socket", ActivitySocketRead, waitTransfer("unix", unix.SYS_READ)},
	{"write to a full TCP socket", ActivitySocketWrite, waitTransfer("tcp4", unix.SYS_WRITE)},
	{"sendto to a full unix socket", ActivitySocketWrite, waitTransfer("unix", unix.SYS_SENDTO)},
	{"connect to a full backlog", ActivityConnect, waitConnect},
	{"accept", ActivityAccept, waitAccept},
	{"poll of an eventfd", ActivityPoll, waitPoll(eventFD)},
	{"poll of one socket", ActivitySocketRead, waitPoll(oneSocket)},
	{"poll of one full socket", ActivitySocketWrite, waitPoll(fullSocket)},
	{"poll of a socket that listens", ActivityAccept, waitPoll(listening)},
	{"poll of a socket that connects", ActivityConnect, waitPoll(connecting)},
	{"poll of a pipe", ActivityPipe, waitPoll(onePipe)},
	{"poll of four sockets", ActivitySocketRead, waitPoll(oneSocket, oneSocket, oneSocket, oneSocket)},
	{"poll of five sockets", ActivityPoll, waitPoll(oneSocket, oneSocket, oneSocket, oneSocket, oneSocket)},
	{"poll of a socket and a pipe", ActivityPoll, waitPoll(oneSocket, onePipe)},
	{"poll of nothing", ActivitySleep, waitPoll()},
	{"select on an eventfd", ActivitySelect, waitSelect(eventFD)},
	{"select on one socket", ActivitySocketRead, waitSelect(oneSocket)},
	{"select on one full socket", ActivitySocketWrite, waitSelect(fullSocket)},
	{"select on five sockets", ActivitySelect, waitSelect(oneSocket, oneSocket, oneSocket, oneSocket, oneSocket)},
	{"select on one socket and a bit beyond", ActivitySocketRead, waitSelect(oneSocket, beyond)},
	{"select for an exception", ActivitySelect, waitSelect(exception)},
	{"select on empty sets", ActivitySleep, waitSelect()},
	{"epoll", ActivityEpoll, waitEpoll},
	{"read of a pipe", ActivityPipe, waitPipe},
	{"read of an eventfd", ActivityOther, waitEventFD},
	{"lock of a file", ActivityFile, waitFile},
	{"futex", ActivityFutex, waitFutex},
	{"nanosleep", ActivitySleep, waitSleep},
	{"wait for a child", ActivityChildWait, waitChild},
	{"io_uring", ActivityIOUring, waitIOUring},
	{"page fault", ActivityPageFault, waitFault},
	{"page fault in a write to a pipe", ActivityPipe, waitFaultInCall},
}

// playWait waits in the way that args[0] names, on a thread of its own. The thread is blocked in the read of an
// eventfd before and after.
func playWait(s stage, args []string) error {
	// Nothing but what is played may stop the thread. GODEBUG=asyncpreemptoff=1 is set by the test.
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(4)
	for _, w := range waits {
		if w.name == args[0] {
			return w.play(s)
		}
	}
	return errors.New("no such wait")
}

func (w wait) play(s stage) error {
	call, help, err := w.prepare()
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return s.pause(refused + err.Error())
	}
	if err != nil {
		return err
	}
	begin, err := unix.Eventfd(0, 0)
	if err != nil {
		return err
	}
	tid := make(chan int, 1)
	var (
		failed error
		ended  atomic.Int64
	)
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		one := make([]byte, 8)
		word := pointer(one)
		raw(unix.SYS_READ, uintptr(begin), word, 8)
		// Between the end of the wait and the next one is as little as can be.
		failed = call()
		ended.Store(now())
		raw(unix.SYS_READ, uintptr(begin), word, 8)
		raw(unix.SYS_READ, uintptr(begin), word, 8) // for ever
	}()
	truth := waitTruth{TID: <-tid}
	time.Sleep(10 * time.Millisecond)
	fmt.Println(truth.TID)
	if err := s.pause("ready"); err != nil {
		return err
	}
	if help != nil {
		go func() {
			runtime.LockOSThread()
			if err := help(); err != nil {
				panic(err)
			}
		}()
	}
	one := binary.NativeEndian.AppendUint64(nil, 1)
	truth.ElapsedNS = -now()
	if _, err := unix.Write(begin, one); err != nil {
		return err
	}
	for ended.Load() == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	truth.ElapsedNS += ended.Load()
	if failed != nil {
		return failed
	}
	time.Sleep(10 * time.Millisecond)
	return s.end(truth)
}

// raw calls the kernel behind the Go runtime's back.
func raw(call uintptr, args ...uintptr) (uintptr, syscall.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	n, _, errno := syscall.RawSyscall6(call, a[0], a[1], a[2], a[3], a[4], a[5])
	return n, errno
}

// kept keeps what the kernel is given: a number that points to something does not.
var (
	keeping sync.Mutex
	kept    []any
)

// at gives the address of something that stays where it is.
func at[T any](v *T) uintptr {
	keeping.Lock()
	defer keeping.Unlock()
	kept = append(kept, v)
	return uintptr(unsafe.Pointer(v))
}

func pointer(b []byte) uintptr { return at(&b[0]) }

// ends wants a call to end with this error: that of its time-out.
func ends(want syscall.Errno, call uintptr, args ...uintptr) func() error {
	return func() error {
		if n, errno := raw(call, args...); errno != want {
			return fmt.Errorf("call %d gave %d, %v, want %v", call, n, errno, want)
		}
		return nil
	}
}

// sendsPart wants a send to end at its time-out: without a byte, or with a part, for which there was room meanwhile.
func sendsPart(call, fd, buffer, length uintptr) func() error {
	return func() error {
		n, errno := raw(call, fd, buffer, length)
		if errno == unix.EAGAIN || errno == 0 && n < length {
			return nil
		}
		return fmt.Errorf("call %d sent %d of %d, %v, want its time-out", call, n, length, errno)
	}
}

func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&ts, &ts) != nil {
	}
}

func waitTransfer(transport string, call uintptr) func() (func() error, func() error, error) {
	return func() (func() error, func() error, error) {
		from, to, err := socketPair(transport)
		if err != nil {
			return nil, nil, err
		}
		limit := unix.NsecToTimeval(int64(asked))
		if call == unix.SYS_READ || call == unix.SYS_RECVFROM {
			err := unix.SetsockoptTimeval(to, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
			return ends(unix.EAGAIN, call, uintptr(to), pointer(make([]byte, 8)), 8), nil, err
		}
		if err := fill(from); err != nil {
			return nil, nil, err
		}
		err = unix.SetsockoptTimeval(from, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
		return sendsPart(call, uintptr(from), pointer(make([]byte, 1<<16)), 1<<16), nil, err
	}
}

// fill sends until no more goes in, nor has for 300 ms: a receiver's buffer grows, and on a busy machine what is on its way
// gets there late.
func fill(fd int) error {
	for quiet := 0; quiet < 30; quiet++ {
		time.Sleep(10 * time.Millisecond)
		for {
			err := unix.Sendto(fd, make([]byte, 1<<16), unix.MSG_DONTWAIT, nil)
			if err == unix.EAGAIN {
				break
			}
			if err != nil {
				return err
			}
			quiet = 0
		}
	}
	return nil
}

// fullBacklog gives the address of a listener that accepts nobody and has no more room.
func fullBacklog() (*unix.RawSockaddrInet4, error) {
	fd, address, err := listen(0)
	if err != nil {
		return nil, err
	}
	_ = fd
	for range 3 {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		ends(unix.EINPROGRESS, unix.SYS_CONNECT, uintptr(s), at(address), unix.SizeofSockaddrInet4)()
	}
	time.Sleep(50 * time.Millisecond)
	return address, nil
}

func listen(backlog int) (int, *unix.RawSockaddrInet4, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, nil, err
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, backlog)); err != nil {
		return 0, nil, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return 0, nil, err
	}
	port := bound.(*unix.SockaddrInet4).Port
	address := &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: [4]byte{127, 0, 0, 1}}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&address.Port))[:], uint16(port))
	return fd, address, nil
}

func waitConnect() (func() error, func() error, error) {
	address, err := fullBacklog()
	if err != nil {
		return nil, nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	limit := unix.NsecToTimeval(int64(asked))
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
	return ends(unix.EINPROGRESS, unix.SYS_CONNECT, uintptr(fd), at(address), unix.SizeofSockaddrInet4), nil, err
}

func waitAccept() (func() error, func() error, error) {
	fd, _, err := listen(1)
	if err != nil {
		return nil, nil, err
	}
	limit := unix.NsecToTimeval(int64(asked))
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	return ends(unix.EAGAIN, unix.SYS_ACCEPT4, uintptr(fd), 0, 0, 0), nil, err
}

// writeLater is the help of a wait for a byte.
func writeLater(fd, n int) func() error {
	return func() error {
		nap(helped)
		_, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, 1)[:n])
		return err
	}
}

func waitPipe() (func() error, func() error, error) {
	var fds [2]int
	err := unix.Pipe(fds[:])
	return ends(0, unix.SYS_READ, uintptr(fds[0]), pointer(make([]byte, 1)), 1), writeLater(fds[1], 1), err
}

func waitEventFD() (func() error, func() error, error) {
	fd, err := unix.Eventfd(0, 0)
	return ends(0, unix.SYS_READ, uintptr(fd), pointer(make([]byte, 8)), 8), writeLater(fd, 8), err
}

// waitFile waits for a lock on a file: it is a block in a call on a file that lasts as long as is wanted.
func waitFile() (func() error, func() error, error) {
	file, err := os.CreateTemp("", "weft-lock-*")
	if err != nil {
		return nil, nil, err
	}
	defer os.Remove(file.Name())
	again, err := os.OpenFile(file.Name(), os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	holder, waiter := int(file.Fd()), int(again.Fd())
	help := func() error {
		nap(helped)
		defer runtime.KeepAlive(again)
		return unix.Flock(holder, unix.LOCK_UN)
	}
	return ends(0, unix.SYS_FLOCK, uintptr(waiter), unix.LOCK_EX), help, unix.Flock(holder, unix.LOCK_EX)
}

func waitFutex() (func() error, func() error, error) {
	word, limit := new(uint32), unix.NsecToTimespec(int64(asked))
	return ends(unix.ETIMEDOUT, unix.SYS_FUTEX, at(word), 0, 0, at(&limit)), nil, nil
}

func waitSleep() (func() error, func() error, error) {
	length := unix.NsecToTimespec(int64(asked))
	return ends(0, unix.SYS_NANOSLEEP, at(&length), 0), nil, nil
}

// waitChild waits for a child that sleeps, and that begins to when the wait does.
func waitChild() (func() error, func() error, error) {
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return nil, nil, err
	}
	if err := os.Setenv(exectest.ProgramEnv, "nap"); err != nil {
		return nil, nil, err
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"nap"}, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{uintptr(fds[0]), 1, 2},
	})
	help := func() error {
		_, err := unix.Write(fds[1], []byte("go\n"))
		return err
	}
	return ends(0, unix.SYS_WAIT4, uintptr(pid), 0, 0, 0), help, err
}

// playNap sleeps when it is told to.
func playNap(s stage, _ []string) error {
	if _, err := s.in.ReadString('\n'); err != nil {
		return err
	}
	nap(helped)
	return nil
}
