package cost

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf/exectest"
	"github.com/weft-profiler/weft/collector/recording"
)

func TestMain(m *testing.M) { exectest.Main(m, play) }

// play says "gate", makes count tasks once it is told to, says "held", and waits to be told to end. Its arguments
// are the count and the address that tasks connect to.
func play(name string, args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	address, err := net.ResolveTCPAddr("tcp4", args[1])
	if err != nil {
		return err
	}
	words := bufio.NewReader(os.Stdin)
	say := func(word string) error {
		fmt.Println(word)
		_, err := words.ReadString('\n')
		return err
	}
	if err := say("gate"); err != nil {
		return err
	}
	made := make(chan error)
	for range count {
		go func() {
			runtime.LockOSThread() // for a thread each, which stays in its read
			fd, err := connect(address)
			made <- err
			if err == nil && name == "threads" {
				unix.Read(fd, make([]byte, 1)) // nothing comes
			}
			if name != "threads" {
				runtime.UnlockOSThread() // the socket stays, idle
			}
		}()
		if err := <-made; err != nil {
			return err
		}
	}
	return say("held")
}

func connect(address *net.TCPAddr) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	return fd, unix.Connect(fd, &unix.SockaddrInet4{Port: address.Port, Addr: [4]byte(address.IP.To4())})
}

// listen accepts connections until the test ends, and hands each to serve.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var all []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			all = append(all, conn)
			serve(conn)
		}
		for _, conn := range all {
			// By a reset: a port of a child's that stays in TIME_WAIT would be no new one to the next child.
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return listener.Addr().String()
}

// child is a program of play.
type child struct {
	*exectest.Program
	t *testing.T
}

func start(t *testing.T, program string, args ...string) child {
	t.Helper()
	return child{exectest.StartSelf(t, program, args...), t}
}

// process reads what the meter has to be told.
func (c child) process() Process {
	c.t.Helper()
	proc, err := procfs.NewProc(c.PID)
	if err != nil {
		c.t.Fatal(err)
	}
	memory, err := proc.ProcSMapsRollup()
	if err != nil {
		c.t.Fatal(err)
	}
	status, err := proc.NewStatus()
	if err != nil {
		c.t.Fatal(err)
	}
	threads, err := procfs.AllThreads(c.PID)
	if err != nil {
		c.t.Fatal(err)
	}
	return Process{
		PID: c.PID, USSBytes: int64(memory.PrivateClean + memory.PrivateDirty),
		PageTableBytes: int64(status.VmPTE), Threads: int64(len(threads)),
	}
}

// snapshot is the process's cost, both ways.
func (c child) snapshot(meter *Meter, group *Cgroup) recording.Snapshot {
	c.t.Helper()
	counted, err := group.Parts()
	if err != nil {
		c.t.Fatal(err)
	}
	multiplied, err := meter.ByProc(c.process())
	if err != nil {
		c.t.Fatal(err)
	}
	return recording.Snapshot{Cost: map[string][]recording.Part{
		recording.ByCgroup: counted, recording.ByProc: multiplied,
	}}
}

// needGroups skips where no cgroup can be made, and says why.
func needGroups(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a cgroup is made")
	}
	self, err := procfs.Self()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := findPlace(self); err != nil {
		t.Skip("needs a cgroup with the memory controller:", err)
	}
}

func part(t *testing.T, parts []recording.Part, name string) recording.Part {
	t.Helper()
	i := slices.IndexFunc(parts, func(p recording.Part) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no part %q in %+v", name, parts)
	}
	return parts[i]
}
