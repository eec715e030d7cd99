package workload

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// number reads a file with one number.
func (l Limits) number(name string) (int, error) {
	text, err := l.read(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("read limit %s: %w", name, err)
	}
	return n, nil
}

// tasks counts the threads of the host: the number after the slash in
// /proc/loadavg.
func (l Limits) tasks() (int, error) {
	text, err := l.read("loadavg")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(text)
	if len(fields) < 4 {
		return 0, fmt.Errorf("read limit loadavg: %q", text)
	}
	_, total, _ := strings.Cut(fields[3], "/")
	n, err := strconv.Atoi(total)
	if err != nil {
		return 0, fmt.Errorf("read limit loadavg: %w", err)
	}
	return n, nil
}

// tasksOf counts the threads of a user's processes, from the line "Threads:"
// of /proc/PID/status.
func (l Limits) tasksOf(uid int) (int, error) {
	entries, err := os.ReadDir(l.Proc)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		if owner, exists := l.ownerOf(l.Proc + "/" + entry.Name()); !exists || owner != uid {
			continue
		}
		text, err := l.read(entry.Name() + "/status")
		if err != nil {
			continue // ended meanwhile
		}
		for line := range strings.Lines(text) {
			if value, ok := strings.CutPrefix(line, "Threads:"); ok {
				n, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil {
					return 0, fmt.Errorf("%s/status: %w", entry.Name(), err)
				}
				total += n
			}
		}
	}
	return total, nil
}

// portRange reads the ephemeral ports, both ends included.
func (l Limits) portRange() (first, last int, err error) {
	const name = "sys/net/ipv4/ip_local_port_range"
	text, err := l.read(name)
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(text, &first, &last); err != nil || first > last {
		return 0, 0, fmt.Errorf("read limit %s: %q", name, text)
	}
	return first, last, nil
}

// reusesTimeWait reports whether a port in TIME_WAIT toward the origin can be
// taken again after a second: net.ipv4.tcp_tw_reuse is 1, or 2 (since Linux
// 4.19, the default) and the origin is on the loopback interface. An origin
// that is not known yet is one of weft's own, there.
func (l Limits) reusesTimeWait(origin netip.AddrPort) (bool, error) {
	mode, err := l.number("sys/net/ipv4/tcp_tw_reuse")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // some containers hide it
	}
	local := !origin.IsValid() || origin.Addr().IsLoopback()
	return mode == 1 || (mode == 2 && local), err
}

// timeWait counts the sockets in TIME_WAIT toward the origin.
func (l Limits) timeWait(origin netip.AddrPort) (int, error) {
	if !origin.IsValid() {
		return 0, nil
	}
	name := "net/tcp"
	if origin.Addr().Unmap().Is6() {
		name = "net/tcp6"
	}
	f, err := os.Open(l.Proc + "/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // no such protocol, no sockets
	}
	if err != nil {
		return 0, fmt.Errorf("count sockets: %w", err)
	}
	defer f.Close() // only read from
	n, err := countTimeWait(f, origin)
	if err != nil {
		return 0, fmt.Errorf("count sockets in %s: %w", name, err)
	}
	return n, nil
}

// stateTimeWait is TIME_WAIT in the fourth column of /proc/net/tcp.
const stateTimeWait = "06"

// countTimeWait reads /proc/net/tcp or tcp6: after a line of titles, one line
// a socket, "sl local remote state …", the addresses as hexadecimal words in
// the order of the host's bytes.
func countTimeWait(r io.Reader, origin netip.AddrPort) (int, error) {
	n := 0
	lines := bufio.NewScanner(r)
	lines.Scan()
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || fields[3] != stateTimeWait {
			continue
		}
		remote, err := parseSocketAddr(fields[2])
		if err != nil {
			return 0, err
		}
		if remote == netip.AddrPortFrom(origin.Addr().Unmap(), origin.Port()) {
			n++
		}
	}
	return n, lines.Err()
}

// parseSocketAddr reads "0100007F:1F90", which is 127.0.0.1:8080 on a
// little-endian host.
func parseSocketAddr(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("address %q", cut(text))
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("address %q", cut(text))
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}
