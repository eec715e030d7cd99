package symbols

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	errOtherFile  = errors.New("another file than the one mapped")
	errNotRegular = errors.New("not a regular file")
)

// fileID identifies the contents of a file for as long as weft runs: an inode number alone may be used
// again once the file is gone, and a library may be overwritten in place.
type fileID struct {
	device, inode uint64
	size          int64
	changed       unix.Timespec
}

// openMapped opens the file behind a mapping of the process whose /proc directory is dir. It tries three
// ways, because each fails somewhere: map_files needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN, the path does
// not lead to a removed or replaced file, exe is only the main program.
func openMapped(dir int, m mapping) (*os.File, fileID, error) {
	ways := []string{fmt.Sprintf("map_files/%x-%x", m.start, m.end)}
	if strings.HasPrefix(m.path, "/") {
		ways = append(ways, "root"+m.path)
	}
	ways = append(ways, "exe")

	var errs []error
	for _, way := range ways {
		f, id, err := openVerified(dir, way, m)
		if err == nil {
			return f, id, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", strings.SplitN(way, "/", 2)[0], err))
	}
	return nil, fileID{}, fmt.Errorf("open %q: %w", m.path, errors.Join(errs...))
}

func openVerified(dir int, name string, m mapping) (*os.File, fileID, error) {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fileID{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fileID{}, err
	}
	if !sameFile(&st, m) {
		return nil, fileID{}, errOtherFile
	}
	st, f, err := reopen(fd, m.name())
	if err != nil {
		return nil, fileID{}, err
	}
	return f, fileID{device: uint64(st.Dev), inode: st.Ino, size: st.Size, changed: st.Ctim}, nil
}

// reopen opens for reading what a descriptor of O_PATH stands for. It looks at the file before: to open a named
// pipe would block, to open a device may do anything.
func reopen(fd int, name string) (st unix.Stat_t, f *os.File, err error) {
	if err := unix.Fstat(fd, &st); err != nil {
		return st, nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return st, nil, errNotRegular
	}
	opened, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return st, nil, err
	}
	return st, os.NewFile(uintptr(opened), name), nil
}

// sameFile compares device and inode. btrfs and overlayfs show one device in maps and another in stat, both
// without hardware behind them (major 0): there the inode decides.
func sameFile(st *unix.Stat_t, m mapping) bool {
	device := uint64(st.Dev)
	virtual := unix.Major(device) == 0 && unix.Major(m.device) == 0
	return m.inode != 0 && st.Ino == m.inode && (device == m.device || virtual)
}
