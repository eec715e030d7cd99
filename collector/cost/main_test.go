package cost

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
)

// programEnv names the program that the test binary plays when it is started as a child.
const programEnv = "WEFT_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(programEnv); name != "" {
		if err := play(name, os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

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
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-ended })
	return listener.Addr().String()
}

// child is a program of play.
type child struct {
	t   *testing.T
	pid int
	in  io.Writer
	out *bufio.Reader
}

func start(t *testing.T, program string, args ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), programEnv+"="+program)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return &child{t: t, pid: cmd.Process.Pid, in: in, out: bufio.NewReader(out)}
}

func (c *child) expect(word string) {
	c.t.Helper()
	if line, err := c.out.ReadString('\n'); err != nil || line != word+"\n" {
		c.t.Fatalf("child said %q (%v), want %q", line, err, word)
	}
}

func (c *child) say(word string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, word+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// process reads what the meter has to be told.
func (c *child) process() Process {
	c.t.Helper()
	proc, err := procfs.NewProc(c.pid)
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
	threads, err := procfs.AllThreads(c.pid)
	if err != nil {
		c.t.Fatal(err)
	}
	return Process{
		PID: c.pid, USSBytes: int64(memory.PrivateClean + memory.PrivateDirty),
		PageTableBytes: int64(status.VmPTE), Threads: int64(len(threads)),
	}
}

// snapshot is the process's cost, both ways.
func (c *child) snapshot(meter *Meter, group *Cgroup) recording.Snapshot {
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
