package origin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// childName is argv[0] of an origin in a process of its own.
const childName = "weft-origin"

// The line that the child writes to descriptor 3, once: where it listens, or
// why it does not.
const (
	wordListening = "listening " // and host:port
	wordFailed    = "failed "    // and a text without line ends
	reportFD      = 3
)

// IsChild reports whether this process was started by [Spawn]: then [RunChild]
// has to be called first thing in main.
func IsChild(args []string) bool { return len(args) > 0 && args[0] == childName }

// RunChild serves an origin (argv: "weft-origin", the Config as JSON) and
// returns the exit code of the process. It ends when its standard input does,
// which is when its parent closes it or is gone.
func RunChild(args []string) int {
	report := os.NewFile(reportFD, "report pipe")
	if len(args) != 2 || report == nil {
		fmt.Fprintln(os.Stderr, "weft-origin is started by weft itself: run weft origin")
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		// Whatever ends the input, the parent is not there.
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var cfg Config
	err := json.Unmarshal([]byte(args[1]), &cfg)
	if err == nil {
		err = Serve(ctx, cfg, func(addr net.Addr) { tell(report, wordListening+addr.String()) })
	}
	if err != nil {
		text := strings.ReplaceAll(err.Error(), "\n", " ")
		fmt.Fprintln(os.Stderr, text)
		tell(report, wordFailed+text)
		return 1
	}
	return 0
}

// tell writes the line. A parent that is gone cannot read it, and the end of
// standard input says so.
func tell(report *os.File, line string) {
	_, _ = io.WriteString(report, line+"\n")
	_ = report.Close()
}
