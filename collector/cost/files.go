package cost

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// files is what a process has open that costs kernel memory by the task.
type files struct {
	sockets map[uint64]string // protocol by inode: two descriptors of one socket are one socket
	polls   int64             // what its epoll descriptors wait for, count
}

// readFiles looks at each descriptor of the process whose directory in /proc it is given.
func readFiles(process string) (files, error) {
	all := files{sockets: map[uint64]string{}}
	entries, err := os.ReadDir(filepath.Join(process, "fd"))
	if err != nil {
		return all, fmt.Errorf("read fd: %w", err)
	}
	for _, entry := range entries {
		if err := all.add(process, entry.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return all, fmt.Errorf("read descriptor %s: %w", entry.Name(), err)
		}
	}
	return all, nil
}

// eventPoll is what an epoll descriptor links to.
const eventPoll = "anon_inode:[eventpoll]"

func (f *files) add(process, fd string) error {
	path := filepath.Join(process, "fd", fd)
	target, err := os.Readlink(path)
	if err != nil {
		return err // closed meanwhile
	}
	if inode, ok := socketInode(target); ok {
		return f.addSocket(inode, path)
	}
	if target != eventPoll {
		return nil
	}
	items, err := countItems(filepath.Join(process, "fdinfo", fd))
	f.polls += items
	return err
}

// addSocket notes a socket that a descriptor links to, unless another one of it was there before.
func (f *files) addSocket(inode uint64, path string) error {
	if _, ok := f.sockets[inode]; ok {
		return nil
	}
	name, err := protocol(path, inode)
	if err != nil {
		return err
	}
	f.sockets[inode] = name
	return nil
}

// socketInode is 23 of "socket:[23]".
func socketInode(target string) (uint64, bool) {
	text, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64)
	return inode, err == nil
}

// protocol is the name of a socket's protocol, "TCP", "TCPv6", "UNIX-STREAM", from the extended attribute that the
// kernel's sockfs has for it: it is told of sockets too that no table of the network lists, as they are not
// connected.
//
// By now the descriptor may be another file's. One of a FUSE file system that never answers must not hold weft, so the
// file is taken hold of first, without being opened (O_PATH), and is asked only when it is the socket: its link is the
// kernel's own and not the file system's. It is a path that is held, so the program's close still closes.
func protocol(path string, inode uint64) (string, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	own := fmt.Sprintf("/proc/self/fd/%d", fd)
	target, err := os.Readlink(own)
	if err != nil {
		return "", err
	}
	if held, ok := socketInode(target); !ok || held != inode {
		return "", &os.PathError{Op: "open", Path: path, Err: fs.ErrNotExist} // closed meanwhile, and used again
	}
	var name [64]byte
	n, err := unix.Getxattr(own, "system.sockprotoname", name[:])
	if err != nil {
		return "", &os.PathError{Op: "getxattr", Path: path, Err: err}
	}
	return string(bytes.TrimRight(name[:n], "\x00")), nil
}

// countItems counts the lines "tfd: …" of an epoll descriptor's fdinfo, one a descriptor that it waits for.
func countItems(path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var items int64
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if bytes.HasPrefix(lines.Bytes(), []byte("tfd:")) {
			items++
		}
	}
	return items, lines.Err()
}

// protocolCount is how many sockets of a protocol there are.
type protocolCount struct {
	name  string
	count int64
}

// protocols counts the sockets by protocol, in the order of names.
func (f files) protocols() []protocolCount {
	counts := map[string]int64{}
	for _, name := range f.sockets {
		counts[name]++
	}
	var list []protocolCount
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, protocolCount{name, counts[name]})
	}
	return list
}
