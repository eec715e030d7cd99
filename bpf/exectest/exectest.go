// Package exectest has what a test needs that starts a program and talks with it, a line at a time: its own binary,
// as one of the programs that it plays, or another one.
//
// It is for tests: nothing else may import it (.depguard.json).
package exectest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ProgramEnv names the program that the test binary plays when it is started as a child.
const ProgramEnv = "WEFT_TEST_PROGRAM"

// Main is what TestMain does: it runs the tests or, in a child, has play play a program and exits. An error is printed
// and makes the exit code 1.
func Main(m *testing.M, play func(program string, args []string) error) {
	program := os.Getenv(ProgramEnv)
	if program == "" {
		os.Exit(m.Run())
	}
	if err := play(program, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Program is a child of the test, killed when the test ends if it lives then. Its standard error is the test's.
type Program struct {
	Cmd *exec.Cmd
	PID int

	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

// StartSelf starts the test binary as a program of [Main].
func StartSelf(t testing.TB, program string, args ...string) *Program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), ProgramEnv+"="+program)
	return Start(t, cmd)
}

// Start starts a program.
func Start(t testing.TB, cmd *exec.Cmd) *Program {
	t.Helper()
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
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	return &Program{Cmd: cmd, PID: cmd.Process.Pid, in: in, out: bufio.NewReader(out), t: t}
}

// Line waits for the next line that the program says.
func (p *Program) Line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the program said %q and no more: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// Expect waits for a word of the program's.
func (p *Program) Expect(word string) {
	p.t.Helper()
	if line := p.Line(); line != word {
		p.t.Fatalf("the program said %q, want %q", line, word)
	}
}

// Decode waits for a line of JSON.
func (p *Program) Decode(v any) {
	p.t.Helper()
	line := p.Line()
	if err := json.Unmarshal([]byte(line), v); err != nil {
		p.t.Fatalf("%q: %v", line, err)
	}
}

// Say lets the program go on to its next step.
func (p *Program) Say(word string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, word+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// End ends the program's input, waits for its end, and wants exit code 0. A program that has been waited for is let be.
func (p *Program) End() {
	p.t.Helper()
	if p.Cmd.ProcessState != nil {
		return
	}
	p.in.Close()
	if err := p.Cmd.Wait(); err != nil {
		p.t.Errorf("%s: %v", p.Cmd.Path, err)
	}
}

// Build builds the Go program in a directory, outside of any workspace, and gives the path of its binary. It skips where
// cgo is wanted and there is no C compiler.
func Build(t testing.TB, dir string, cgo bool, args ...string) string {
	t.Helper()
	enabled := "0"
	if cgo {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("cgo needs a C compiler:", err)
		}
		enabled = "1"
	}
	binary := filepath.Join(t.TempDir(), filepath.Base(dir))
	cmd := exec.Command("go", append(append([]string{"build"}, args...), "-o", binary, ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "CGO_ENABLED="+enabled)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %v: %v\n%s", args, err, out)
	}
	return binary
}
