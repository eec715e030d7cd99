// Truth is a program that says what it did: where it slept, sent, grew and
// awaited replies, to the nanosecond and byte, so that a test can hold a profile
// of it against what is true.
//
//	truth serve            serves replies, after saying its address in a line
//	truth [-server ADDR]   does one step for each line "go" of its input
//
// It says "ready", then after each step its name, and after the last its [truth]
// as JSON in one line; it ends when its input does. Without -server it serves
// itself, and is then both ends of its connections.
//
// It builds plain (CGO_ENABLED=0), stripped (-ldflags="-s -w"), as PIE
// (-buildmode=pie) and with cgo (CGO_ENABLED=1), then with a step more: c-nap.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
)

// truth is what the program did. Times are CLOCK_MONOTONIC's, in ns, as it saw
// them around its calls: upper bounds of what the kernel sees of them.
type truth struct {
	PID  int   `json:"pid"`
	Goid int64 `json:"goid"` // of the main goroutine, which does all steps

	Naps    []napped    `json:"naps"`    // asleep, by function
	Talk    talked      `json:"talk"`    // sent by talk
	Grown   int64       `json:"grown"`   // bytes that grow made resident, each page once
	Asks    []asked     `json:"asks"`    // replies awaited, by the function that sent
	Workers []worker    `json:"workers"` // goroutines, each by entry function
	Threads []ownThread `json:"threads"` // threads that goroutines are locked to
}

// step is what one line of input sets off.
type step struct {
	name string
	do   func(*truth, string) error
}

// steps, in their order; those of cgo come last.
func steps() []step {
	return append([]step{
		{"nap", stepNap},
		{"talk", stepTalk},
		{"grow", stepGrow},
		{"ask", stepAsk},
		{"workers", stepWorkers},
		{"threads", stepThreads},
	}, cgoSteps()...)
}

func main() {
	server := flag.String("server", "", "address of a truth that serves")
	flag.Parse()
	if err := run(*server, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "truth:", err)
		os.Exit(1)
	}
}

func run(server string, args []string) error {
	if server == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		if len(args) == 1 && args[0] == "serve" {
			fmt.Println(l.Addr())
			return serve(l)
		}
		server = l.Addr().String()
		go func() {
			fmt.Fprintln(os.Stderr, "truth: serve:", serve(l))
			os.Exit(1)
		}()
	}
	if len(args) != 0 {
		return fmt.Errorf("arguments %q", args)
	}
	return doSteps(server)
}

func doSteps(server string) error {
	t := truth{PID: os.Getpid(), Goid: goid()}
	lines := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	for _, s := range steps() {
		if !lines.Scan() || lines.Text() != "go" {
			return fmt.Errorf("before %s: no line that says go, but %q", s.name, lines.Text())
		}
		if err := s.do(&t, server); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Println(s.name)
	}
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
		return err
	}
	for lines.Scan() { // goroutines, threads and memory stay until nobody looks any more
	}
	return nil
}
