package workload

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The gate protocol. A child is any program, in any language, that weft starts
// with its configuration, one JSON object ([Config]), as last argument, and
// with two pipes: descriptor 3, from which it reads, and descriptor 4, to
// which it writes. Both carry lines of UTF-8 that end in LF, at most 64 KiB.
//
//	child                     weft
//	ready                               set-up is over; the child now waits
//	                          go        the gate is open: work, and be timed
//	done {Result as JSON}               the work is over; the child waits again
//	                          exit      end, with exit code 0
//
// A child may say how much memory its runtime holds then, as one JSON object
// after ready; so far there is a form for Go's ([GoMemory]). The same has a
// field in Result. A child of another language leaves both out.
//
//	ready {"go_memory": {GoMemory as JSON}}
//
// Instead of ready, a child that cannot work says
//
//	failed {"error": "why"}
//
// and ends. End of file on descriptor 3 means that weft is gone: a child that
// reads it ends at once. It should also ask the kernel to be killed with its
// parent; weft does that for it (PR_SET_PDEATHSIG).
//
// Only if the configuration says "profile": true may weft send, any number of
// times between go and exit,
//
//	heap
//
// on which the child collects its garbage and answers with the number of bytes
// and then that many bytes, a gzipped pprof heap profile, without a line end:
//
//	heap 1234
//	<1234 bytes>
//
// A child that knows what is in use by stack, and not how to write pprof,
// answers with JSON instead, likewise counted and without a line end:
//
//	stacks 1234
//	{"frames": [{"function": "html.parser.HTMLParser.goahead", "file": "/usr/lib/…/parser.py", "line": 170}, …],
//	 "stacks": [{"count": 23, "size": 4711, "cut": false, "frames": [0, 3, 5]}, …]}
//
// A stack is that of the allocations of count objects in use, size bytes in all;
// it lists frames by their place in the list, the one that allocated first, and
// is cut if its root is missing. An unknown function has an empty name.
//
// A child with neither, or without another one, answers "heap 0".
//
// A child whose runtime keeps more profiles names them after ready, which it
// should only if its Config says Profile:
//
//	ready {"profiles": ["goroutine", "block", "mutex"]}
//
// These are the three that there are, with the meaning and the sample types
// that Go gives them. weft may then also send, any number of times between go
// and exit, one of these names,
//
//	profile block
//
// and the child answers as to heap, with that name and a gzipped pprof profile:
//
//	profile block 1234
//	<1234 bytes>
//
// Children should use one thread for all of this where Profile is not set,
// so that the protocol adds nothing to what is measured.
const (
	gateIn  = 3 // the child reads weft's words here
	gateOut = 4 // and writes its own here
)

// The words of the protocol, without their line ends.
const (
	wordReady   = "ready"
	wordGo      = "go"
	wordHeap    = "heap"
	wordStacks  = "stacks"
	wordProfile = "profile"
	wordDone    = "done"
	wordExit    = "exit"
	wordFailed  = "failed"
)

// The profiles that a child may have beside its heap: names of runtime/pprof.
const (
	ProfileGoroutine = "goroutine" // goroutines there are, by stack
	ProfileBlock     = "block"     // waits for channels, conditions and locks that have ended, by the stack that waited
	ProfileMutex     = "mutex"     // waits for locks that have ended, by the stack that unlocked
)

var profileNames = [...]string{ProfileGoroutine, ProfileBlock, ProfileMutex}

const (
	maxLine = 64 << 10  // bytes of one line, its end included
	maxHeap = 256 << 20 // bytes of one answer to heap, or to profile
)

// DefaultTimeout is the longest that one request may take.
const DefaultTimeout = 30 * time.Second

// Config is what a child is told, as JSON in its last argument.
type Config struct {
	URL         string `json:"url"`             // of the origin: http://host:port
	Requests    int    `json:"requests"`        // pages to fetch; 0 in a control trial
	Concurrency int    `json:"concurrency"`     // most requests in flight
	KeepAlive   bool   `json:"keepalive"`       // reuse connections
	TimeoutNS   int64  `json:"timeout_ns"`      // of one request, its connection included; 0 is DefaultTimeout
	Own         bool   `json:"own"`             // as many in flight as the library takes by itself, whatever concurrency says
	Profile     bool   `json:"profile"`         // sample the heap, answer to heap and profile
	Model       string `json:"model,omitempty"` // the model's name, told to external programs
}

// Timeout returns the time one request may take.
func (c Config) Timeout() time.Duration {
	if c.TimeoutNS <= 0 {
		return DefaultTimeout
	}
	return time.Duration(c.TimeoutNS)
}

// CheckValid reports the first thing wrong with c, the URL included.
func (c Config) CheckValid() error {
	switch {
	case c.Requests < 0 || c.Requests > math.MaxInt32:
		return fmt.Errorf("config: %d requests", c.Requests)
	case c.Concurrency < 1:
		return fmt.Errorf("config: concurrency %d, want at least 1", c.Concurrency)
	case c.TimeoutNS < 0:
		return fmt.Errorf("config: timeout of %d ns", c.TimeoutNS)
	}
	if _, err := CheckURL(c.URL); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// Failure counts the requests that failed for one cause.
type Failure struct {
	Count int64  `json:"count"`
	First string `json:"first"` // the text of the first error, at most 300 bytes
}

// Result is what a child says of its own work. What it says of time and memory
// is checked by weft against the kernel's counts; a child is not trusted.
type Result struct {
	Units    int64              `json:"units"`              // pages fetched and parsed
	Failures map[string]Failure `json:"failures,omitempty"` // by cause, see Cause
	Digest   string             `json:"digest"`             // SHA-256 of the list of departures, in hexadecimal

	StartNS int64 `json:"start_ns"` // CLOCK_MONOTONIC when the gate had opened
	EndNS   int64 `json:"end_ns"`   // CLOCK_MONOTONIC when the last page was finished
	CPUNS   int64 `json:"cpu_ns"`   // the child's own CPU time between the two; 0 if it does not tell

	AllocBytes     int64 `json:"alloc_bytes"`      // heap bytes allocated by the work; 0 if it does not tell
	AllocObjects   int64 `json:"alloc_objects"`    // heap objects allocated by the work
	MemProfileRate int64 `json:"mem_profile_rate"` // bytes allocated per heap sample; 0 is no sampling

	BlockProfileRate     int64 `json:"block_profile_rate,omitempty"`     // ns blocked per sample of the block profile, 1 is every wait; 0 is no sampling
	MutexProfileFraction int64 `json:"mutex_profile_fraction,omitempty"` // waits for locks per sample of the mutex profile; 0 is no sampling

	GoMemory *GoMemory `json:"go_memory,omitempty"` // at done, the list of departures included; nil if it does not tell
}

// maxErrorText bounds the text of an error in a Result.
const maxErrorText = 300

// Failed returns the number of requests that failed, whatever the cause.
func (r Result) Failed() int64 {
	var n int64
	for _, f := range r.Failures {
		n += f.Count
	}
	return n
}

// CheckValid reports what cannot be true of a child that was asked for the
// given number of requests.
func (r Result) CheckValid(requests int) error {
	if len(r.Failures) > len(causes) {
		return fmt.Errorf("%d causes of failure", len(r.Failures))
	}
	if r.Units < 0 || r.Units > int64(requests) {
		return fmt.Errorf("%d units of %d", r.Units, requests)
	}
	left := int64(requests) - r.Units
	for cause, f := range r.Failures {
		if !isCause(cause) || len(f.First) > maxErrorText {
			return fmt.Errorf("unknown failure %q", cut(cause))
		}
		if f.Count < 1 || f.Count > left {
			return fmt.Errorf("%d failures %q with %d units of %d", f.Count, cause, r.Units, requests)
		}
		left -= f.Count
	}
	switch {
	case left != 0:
		return fmt.Errorf("%d of %d requests unaccounted for", left, requests)
	case r.StartNS <= 0 || r.EndNS < r.StartNS:
		return fmt.Errorf("work from %d to %d ns", r.StartNS, r.EndNS)
	case r.CPUNS < 0 || r.AllocBytes < 0 || r.AllocObjects < 0:
		return errors.New("negative cost")
	case r.MemProfileRate < 0 || r.BlockProfileRate < 0 || r.MutexProfileFraction < 0:
		return errors.New("negative rate of samples")
	case !isDigest(r.Digest):
		return fmt.Errorf("digest %q", cut(r.Digest))
	case r.GoMemory != nil:
		return r.GoMemory.CheckValid()
	}
	return nil
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// readiness is the JSON that may follow ready.
type readiness struct {
	GoMemory *GoMemory `json:"go_memory"`
	Profiles []string  `json:"profiles,omitempty"` // that can be asked for
}

// CheckValid reports what a child may not say.
func (r readiness) CheckValid() error {
	for i, name := range r.Profiles {
		if !slices.Contains(profileNames[:], name) || slices.Contains(r.Profiles[:i], name) {
			return fmt.Errorf("profile %q", cut(name))
		}
	}
	if r.GoMemory != nil {
		return r.GoMemory.CheckValid()
	}
	return nil
}

// setupFailure is the JSON after failed.
type setupFailure struct {
	Error string `json:"error"`
}

// readLine reads one line of the protocol and returns it without its end. A
// line that is too long is errLine; one cut by the end of the pipe is
// io.ErrUnexpectedEOF.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return string(line[:maxQuoted]), errLine
	case err == io.EOF && len(line) > 0:
		return string(line), io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	return string(line[:len(line)-1]), nil
}

var errLine = fmt.Errorf("line longer than %d bytes", maxLine)

// splitWord parts "done {…}" into its word and the rest.
func splitWord(line string) (word, rest string) {
	word, rest, _ = strings.Cut(line, " ")
	return word, rest
}

// parseSize reads the number of bytes that follow what is named.
func parseSize(what, text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s of %q bytes", what, cut(text))
	}
	if n > maxHeap {
		return 0, fmt.Errorf("%s of %d bytes, limit %d", what, n, maxHeap)
	}
	return int(n), nil
}

// withJSON returns a line without its end: a word and a value.
func withJSON(word string, value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", word, err)
	}
	return word + " " + string(text), nil
}

// maxQuoted bounds how much of another program's text an error repeats.
const maxQuoted = 200

func cut(text string) string { return text[:min(len(text), maxQuoted)] }

// monotonicNS reads CLOCK_MONOTONIC, the clock of the kernel's events.
func monotonicNS() int64 { return clockNS(unix.CLOCK_MONOTONIC) }

// processCPUNS reads the CPU time of all threads of this process.
func processCPUNS() int64 { return clockNS(unix.CLOCK_PROCESS_CPUTIME_ID) }

// clockNS reads a clock that every Linux has; 0 cannot happen.
func clockNS(id int32) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// pipeFile gives the descriptor of the protocol a name in errors.
func pipeFile(fd uintptr) *os.File { return os.NewFile(fd, "gate pipe "+strconv.Itoa(int(fd))) }
