package workload

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// badChildName is argv[0] of a child that breaks the protocol in the way that
// its first argument names.
const badChildName = "weft-bad-child"

func badChild(how string) int {
	in, out := os.NewFile(gateIn, "in"), os.NewFile(gateOut, "out")
	say := func(text string) { fmt.Fprint(out, text) }
	hear := func() {
		for buf := []byte{0}; buf[0] != '\n'; {
			if n, _ := in.Read(buf); n == 0 {
				os.Exit(exitOrphan)
			}
		}
	}
	hang := func() {
		for {
			hear()
		}
	}
	switch how {
	case "hangs before ready":
		fmt.Fprintln(os.Stderr, "importing the world")
		hang()
	case "cannot start":
		say("failed {\"error\": \"no module named gevent\"}\n")
		return exitFailed
	case "says rubbish":
		say("\x1b[31mreadiness\x00\n")
		hang()
	case "offers what there is not":
		say("ready {\"profiles\": [\"heap\"]}\n")
		hang()
	case "says more than ready":
		say("ready now\n")
		hang()
	case "lies about its memory":
		say("ready {\"go_memory\": {\"stacks\": -1}}\n")
		hang()
	case "says a huge line":
		say(strings.Repeat("x", 2*maxLine) + "\n")
		hang()
	case "closes its pipe":
		out.Close()
		hang()
	case "exits 3":
		fmt.Fprintln(os.Stderr, strings.Repeat("noise ", 10_000)+"Traceback: out of luck")
		return 3
	}
	say("ready {\"profiles\": [\"block\"]}\n")
	hear()
	switch how {
	case "hangs in work":
		hang()
	case "ignores its parent":
		for {
			time.Sleep(time.Hour)
		}
	case "dies by signal":
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
		hang()
	case "exits 0 in work":
		return 0
	case "sends half a line":
		say("done {\"units\"")
		return 0
	case "lies about its work":
		say(`done {"units": 24, "start_ns": 1, "end_ns": 2, "digest": "` + strings.Repeat("0", 64) + "\"}\n")
		hang()
	case "sends no JSON":
		say("done 23\n")
		hang()
	case "sends a heap too big":
		hear()
		say(fmt.Sprintf("heap %d\n", maxHeap+1))
		hang()
	case "sends a profile too big":
		hear()
		say(fmt.Sprintf("profile block %d\n", maxHeap+1))
		hang()
	case "sends another profile":
		hear()
		say("profile mutex 3\nabc")
		hang()
	case "sends a heap for a profile":
		hear()
		say("heap 3\nabc")
		hang()
	case "sends half a profile":
		hear()
		say("profile block 1000\nabc")
		return 0
	case "sends half a heap":
		hear()
		say("heap 1000\nabc")
		return 0
	}
	return exitUsage
}
