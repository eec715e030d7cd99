package bpf

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf/exectest"
)

// The programs that the test binary plays as a child. Each does a known amount of something and says so.
var programs = map[string]func(stage, []string) error{
	"threads":   playThreads,
	"exchange":  playExchange,
	"branch":    playBranch,
	"transfer":  playTransfer,
	"await":     playAwait,
	"family":    playFamily,
	"brief":     playBrief,
	"exec":      playExec,
	"churn":     playChurn,
	"listen":    playListen,
	"echo":      playEcho,
	"again":     playAgain,
	"parts":     playParts,
	"connect":   playConnect,
	"glance":    playGlance,
	"restart":   playRestart,
	"multipath": playMultipath,
	"answer":    playAnswer,
	"resend":    playResend,
	"leave":     playLeave,
	"sockets":   playSockets,
	"touch":     playTouch,
	"fork":      playFork,
	"replace":   playReplace,
	"kinds":     playKinds,
	"wait":      playWait,
	"nap":       playNap,
	"spin":      playSpin,
	"pingpong":  playPingPong,
}

// stage is a program's end of the conversation with the test.
type stage struct{ in *bufio.Reader }

func play(name string, args []string) error {
	program, ok := programs[name]
	if !ok {
		return errors.New("no such program")
	}
	return program(stage{bufio.NewReader(os.Stdin)}, args)
}

// pause says a word and waits for the test.
func (s stage) pause(word string) error {
	fmt.Println(word)
	_, err := s.in.ReadString('\n')
	return err
}

// end states the truth and waits until the test has looked.
func (s stage) end(truth any) error {
	if err := json.NewEncoder(os.Stdout).Encode(truth); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, s.in)
	return err
}

// playThreads makes args[0] threads with names of their own, and lets them end when told.
func playThreads(s stage, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	var made, gone sync.WaitGroup
	leave := make(chan struct{})
	for i := range n {
		made.Add(1)
		gone.Add(1)
		go func() {
			defer gone.Done()
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			if err := setName(fmt.Sprintf("truth-%d", i)); err != nil {
				panic(err)
			}
			made.Done()
			<-leave
		}()
	}
	made.Wait()
	if err := s.pause("made"); err != nil {
		return err
	}
	close(leave)
	gone.Wait()
	return s.end(nil)
}

func setName(name string) error {
	raw, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NAME, uintptr(unsafePointer(raw)), 0, 0, 0)
}

// playAwait opens args[1] connections to args[0], sends a request on args[2] of them, and reads the replies
// when told.
func playAwait(s stage, args []string) error {
	connections, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	asking, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	network, address, _ := strings.Cut(args[0], "!")
	if err := s.pause("ready"); err != nil {
		return err
	}
	var open []net.Conn
	for range connections {
		c, err := net.Dial(network, address)
		if err != nil {
			return err
		}
		open = append(open, c)
	}
	if err := s.pause("connected"); err != nil {
		return err
	}
	for _, c := range open[:asking] {
		if _, err := io.WriteString(c, "question"); err != nil {
			return err
		}
	}
	if err := s.pause("asked"); err != nil {
		return err
	}
	for _, c := range open[:asking] {
		if _, err := io.ReadFull(c, make([]byte, len("answer"))); err != nil {
			return err
		}
	}
	if err := s.pause("answered"); err != nil {
		return err
	}
	for _, c := range open {
		c.Close()
	}
	return s.end(nil)
}

// playFamily sends 23 bytes to the UDP address args[0] and starts args[1] children that do the same; each of
// them starts args[2] children, and so on.
func playFamily(s stage, args []string) error {
	if os.Getenv("WEFT_TEST_DEPTH") == "" {
		if err := s.pause("ready"); err != nil {
			return err
		}
	}
	c, err := net.Dial("udp", args[0])
	if err != nil {
		return err
	}
	if _, err := c.Write(make([]byte, 23)); err != nil {
		return err
	}
	if len(args) > 1 {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		for range n {
			if err := runSelf(append([]string{args[0]}, args[2:]...)); err != nil {
				return err
			}
		}
	}
	if os.Getenv("WEFT_TEST_DEPTH") != "" {
		return nil
	}
	return s.end(nil)
}

// runSelf runs this program again, one step deeper. Not by os/exec: its first use makes a process more, to find
// out whether pidfds work.
func runSelf(args []string) error {
	pid, err := syscall.ForkExec("/proc/self/exe", append([]string{"family"}, args...), &syscall.ProcAttr{
		Env:   append(os.Environ(), "WEFT_TEST_DEPTH=1"),
		Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status != 0 {
		return fmt.Errorf("child ended with %#x, %w", status, err)
	}
	return nil
}

// playBrief sends 23 bytes to the TCP address args[0] and exits at once, without a gate.
func playBrief(_ stage, args []string) error {
	c, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	_, err = c.Write(make([]byte, 23))
	return err
}

// playExec execs the program "brief" from a thread that is not the main one.
func playExec(s stage, args []string) error {
	if err := s.pause("ready"); err != nil {
		return err
	}
	if err := os.Setenv(exectest.ProgramEnv, "brief"); err != nil {
		return err
	}
	failed := make(chan error)
	var replace func()
	replace = func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // keep the main thread, and use another
			go replace()
			select {}
		}
		failed <- unix.Exec("/proc/self/exe", append([]string{"exec"}, args...), os.Environ())
	}
	go replace()
	return <-failed
}

// playChurn makes args[0] threads that end at once, one after the other.
func playChurn(s stage, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	for i := range n {
		done := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			if err := setName("churn-" + strconv.Itoa(i)); err != nil {
				panic(err)
			}
			close(done)
		}()
		<-done
	}
	return s.end(nil)
}
