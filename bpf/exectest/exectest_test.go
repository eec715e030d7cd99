package exectest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m, play) }

// play says its name and arguments, as JSON. Then the program "deaf" does nothing more, and others say what they hear and
// fail when that is "fail".
func play(program string, args []string) error {
	fmt.Printf("%q\n", strings.Join(append([]string{program}, args...), " "))
	if program == "deaf" {
		time.Sleep(time.Hour)
	}
	for heard := bufio.NewScanner(os.Stdin); heard.Scan(); {
		if heard.Text() == "fail" {
			return errors.New("told to fail")
		}
		fmt.Println(heard.Text())
	}
	return nil
}

func TestConversation(t *testing.T) {
	p := StartSelf(t, "parrot", "a b", "c")
	var name string
	if p.Decode(&name); name != "parrot a b c" {
		t.Errorf("it is %q", name)
	}
	p.Say("one")
	p.Say("two")
	p.Expect("one")
	if line := p.Line(); line != "two" {
		t.Errorf("it said %q, want two", line)
	}
	p.End()
	p.End()
	if err := syscall.Kill(p.PID, 0); err != syscall.ESRCH {
		t.Errorf("a program that has been ended: %v", err)
	}
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// run runs a test to its end, and gives what failed in it and the program that it started.
func run(t *testing.T, program string, test func(p *Program)) ([]string, *Program) {
	t.Helper()
	r := &recorder{TB: t}
	p := StartSelf(r, program)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for _, f := range slices.Backward(r.cleanups) {
				f()
			}
		}()
		p.Line()
		test(p)
	}()
	<-done
	return r.failures, p
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		name string
		test func(p *Program)
		want []string
	}{
		{"nothing", func(p *Program) { p.End() }, nil},
		{"another word", func(p *Program) { p.Say("two"); p.Expect("one") }, []string{`the program said "two", want "one"`}},
		{"no JSON", func(p *Program) { p.Say("{"); p.Decode(new(any)) }, []string{`"{": unexpected end of JSON input`}},
		{"no line", func(p *Program) { p.in.Close(); p.Line() }, []string{`the program said "" and no more: EOF`}},
		{"exit code 1", func(p *Program) { p.Say("fail"); p.End() }, []string{os.Args[0] + ": exit status 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := run(t, "parrot", tt.test); !slices.Equal(got, tt.want) {
				t.Errorf("failed with %q, want %q", got, tt.want)
			}
		})
	}
}

// A program that is left alone does not outlive the test, and that is no failure.
func TestKilledWithTheTest(t *testing.T) {
	got, p := run(t, "deaf", func(*Program) {})
	if len(got) > 0 || p.Cmd.ProcessState == nil {
		t.Fatalf("failed with %q, state %v", got, p.Cmd.ProcessState)
	}
	if status := p.Cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v, want a kill", p.Cmd.ProcessState)
	}
}
