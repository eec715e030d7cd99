package bpf

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// classic is a classic tracepoint: a tracing program's hook is in its ELF section, this one's is not.
type classic struct{ group, name string }

// attachClassic attaches to a classic tracepoint. Its number stands in tracefs only. Where that is not mounted, as in
// many containers, a mount that nobody else sees will do.
func attachClassic(hook classic, program *ebpf.Program) (link.Link, error) {
	attached, err := link.Tracepoint(hook.group, hook.name, program, nil)
	if err == nil {
		return attached, nil
	}
	id, idErr := hook.number()
	if idErr != nil {
		return nil, errors.Join(err, idErr)
	}
	return attachNumbered(id, program)
}

// number reads the tracepoint's number from a tracefs of our own.
func (c classic) number() (uint64, error) {
	tracefs, err := mountDetached("tracefs")
	if err != nil {
		return 0, err
	}
	defer unix.Close(tracefs)
	path := fmt.Sprintf("events/%s/%s/id", c.group, c.name)
	fd, err := unix.Openat(tracefs, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open tracefs's %s: %w", path, err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close()
	var text [32]byte
	n, err := file.Read(text[:])
	if err != nil {
		return 0, fmt.Errorf("read tracefs's %s: %w", path, err)
	}
	return strconv.ParseUint(strings.TrimSpace(string(text[:n])), 10, 64)
}

// mountDetached mounts a file system nowhere: it lives as long as the descriptor (Linux 5.2).
func mountDetached(kind string) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("open file system %s: %w", kind, err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return 0, fmt.Errorf("make file system %s: %w", kind, err)
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return 0, fmt.Errorf("mount file system %s: %w", kind, err)
	}
	return mount, nil
}

// attachNumbered attaches by a perf event of one CPU: the tracepoint calls its programs on all of them.
func attachNumbered(id uint64, program *ebpf.Program) (link.Link, error) {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Config: id, Sample_type: unix.PERF_SAMPLE_RAW, Sample: 1, Wakeup: 1}
	event, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open perf event of tracepoint %d: %w", id, err)
	}
	defer unix.Close(event) // the link keeps it
	return link.AttachRawLink(link.RawLinkOptions{Target: event, Program: program, Attach: ebpf.AttachPerfEvent})
}
