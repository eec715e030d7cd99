package symbols

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds on /proc/PID/maps, whose contents the process decides. What lies beyond them is not known, and a
// stack that leads there is cut.
const (
	maxMapsLines   = 1 << 18  // the kernel's default limit, vm.max_map_count, is a quarter of it
	maxExecutable  = 1 << 14  // executable mappings kept
	maxMapsLineLen = 32 << 10 // a path of 4096 bytes with every one escaped is 16 KiB
)

var errMapsLine = errors.New("malformed maps line")

// mapping is an executable mapping: one line of /proc/PID/maps.
type mapping struct {
	start, end uint64 // addresses
	offset     uint64 // of start in the file, bytes
	device     uint64 // as in unix.Stat_t
	inode      uint64 // 0 where there is no file
	path       string // as the process sees it; "[vdso]", empty for anonymous memory. From the process: data.
}

// name is what the mapping is called in a frame: its path without the kernel's mark for removed files.
func (m mapping) name() string {
	if m.path == "" {
		return "[anon]"
	}
	return strings.TrimSuffix(m.path, " (deleted)")
}

// parseMappings reads the format of /proc/PID/maps (proc_pid_maps(5)) and keeps the executable mappings,
// sorted by address.
func parseMappings(r io.Reader) ([]mapping, error) {
	var kept []mapping
	lines := bufio.NewReaderSize(r, maxMapsLineLen)
	for range maxMapsLines {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read maps: %w", err)
		}
		m, executable, err := parseMapping(line)
		if err != nil {
			return nil, err
		}
		if executable {
			kept = append(kept, m)
		}
		if len(kept) == maxExecutable {
			break
		}
	}
	slices.SortFunc(kept, compareMappings)
	return kept, nil
}

// readLine returns the next line without its newline. The end of a line that is too long is dropped: its
// path then belongs to no file.
func readLine(r *bufio.Reader) (string, error) {
	chunk, err := r.ReadSlice('\n')
	line := string(bytes.TrimSuffix(chunk, []byte{'\n'}))
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = r.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	return line, err
}

// parseMapping reads one line, "START-END PERMS OFFSET MAJOR:MINOR INODE   PATH". The path is everything
// behind the blanks, and may itself hold blanks.
func parseMapping(line string) (m mapping, executable bool, err error) {
	addresses, rest, ok1 := strings.Cut(line, " ")
	perms, rest, ok2 := strings.Cut(rest, " ")
	offset, rest, ok3 := strings.Cut(rest, " ")
	device, rest, ok4 := strings.Cut(rest, " ")
	inode, path, _ := strings.Cut(rest, " ")
	if !ok1 || !ok2 || !ok3 || !ok4 || len(perms) != 4 {
		return mapping{}, false, errMapsLine
	}
	start, end, ok := strings.Cut(addresses, "-")
	major, minor, ok1 := strings.Cut(device, ":")
	if !ok || !ok1 {
		return mapping{}, false, errMapsLine
	}
	var n numbers
	m.start, m.end, m.offset = n.parse(start, 16, 64), n.parse(end, 16, 64), n.parse(offset, 16, 64)
	m.device = unix.Mkdev(uint32(n.parse(major, 16, 32)), uint32(n.parse(minor, 16, 32)))
	m.inode = n.parse(inode, 10, 64)
	if n.err != nil {
		return mapping{}, false, fmt.Errorf("%w: %w", errMapsLine, n.err)
	}
	if m.start >= m.end || m.offset+(m.end-m.start) < m.offset {
		return mapping{}, false, fmt.Errorf("%w: range %s", errMapsLine, addresses)
	}
	// The kernel escapes the newline and nothing else, so a path that holds these four characters itself
	// cannot be told apart. Nobody is misled: a file is checked against device and inode.
	m.path = strings.ReplaceAll(strings.TrimLeft(path, " "), `\012`, "\n")
	return m, perms[2] == 'x', nil
}

// numbers parses several numbers and keeps the first error.
type numbers struct{ err error }

func (n *numbers) parse(s string, base, bits int) uint64 {
	v, err := strconv.ParseUint(s, base, bits)
	if err != nil && n.err == nil {
		n.err = err
	}
	return v
}

func compareMappings(a, b mapping) int {
	switch {
	case a.start < b.start:
		return -1
	case a.start > b.start:
		return 1
	}
	return 0
}
