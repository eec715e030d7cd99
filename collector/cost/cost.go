// Package cost finds out what a process costs in memory, that of the kernel included: its threads' stacks, its
// page tables, its sockets. No profiler counts these, and they are what separates a thread from a goroutine.
//
// There are two ways. [Meter.ByProc] multiplies what /proc counts (threads, sockets, epoll items) by the sizes of
// the kernel's objects. [Cgroup.Parts] is the kernel's own account of a control group that the process has for
// itself. A part that could not be found out is left out, and [Meter.ByProc] says so.
package cost

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/weft-profiler/weft/collector/recording"
)

// Process is what is known already of a process at this moment: fields of /proc/PID/smaps_rollup and status.
type Process struct {
	PID            int
	USSBytes       int64 // Private_Clean + Private_Dirty
	PageTableBytes int64 // VmPTE
	Threads        int64 // count
}

// Meter knows the sizes of the kernel's objects, bytes.
type Meter struct {
	proc  string // where procfs is mounted
	sizes sizes
	stack int64 // a thread's kernel stack

	task, process, socket, port, poll slabSum // over the lists of slabs below

	untasked, unsocketed error // why the parts of threads and of sockets can't be told, nil where they can
}

// NewMeter reads the sizes, once: they do not change while the kernel runs.
func NewMeter() (*Meter, error) {
	return newMeter(procfs.DefaultMountPoint, slabRoot)
}

func newMeter(proc, slabs string) (*Meter, error) {
	m := &Meter{proc: proc, sizes: sizes{root: slabs, known: map[string]int64{}}}
	var err error
	if m.stack, err = stackSize(proc); err != nil {
		return nil, fmt.Errorf("size of a kernel stack: %w", err)
	}
	for _, list := range []struct {
		sum   *slabSum
		slabs []string
	}{
		{&m.task, taskSlabs}, {&m.process, processSlabs}, {&m.socket, socketSlabs}, {&m.port, portSlabs}, {&m.poll, pollSlabs},
	} {
		if *list.sum, err = m.sizes.sum(list.slabs); err != nil {
			return nil, err
		}
	}
	m.untasked = m.task.lacks("task_struct")
	m.unsocketed = m.socket.lacks(socketSlabs...)
	return m, nil
}

// What a thread, a process, a socket, a local TCP port and an epoll item have of their own in slabs, besides their
// kernel stack and the socket's own struct. Found by making 1,000 of each under kmem:kmem_cache_alloc (Linux 6.18):
// these are all that the kernel charges to a cgroup. A cache that this kernel has not counts 0, and is named. Not charged, and not here, are 234 bytes of a thread (the
// mapping of its stack) and 56 of a socket (what security modules hang on it).
var (
	taskSlabs    = []string{"task_struct", "pid"}
	processSlabs = []string{"mm_struct", "signal_cache", "sighand_cache", "files_cache", "fs_cache"}
	socketSlabs  = []string{"sock_inode_cache", "dentry", "filp"}
	portSlabs    = []string{"tcp_bind_bucket", "tcp_bind2_bucket"} // the second one from Linux 6.1 on
	pollSlabs    = []string{"eventpoll_epi", "eventpoll_pwq", "ep_head"}
)

// ByProc is what a process costs by what /proc counts of it. The process should be at rest. The error names what is
// not among the parts; the parts are good all the same.
//
// It is a lower bound: mappings, open files that are no sockets, pipes and timers are not in it.
func (m *Meter) ByProc(p Process) ([]recording.Part, error) {
	parts := []recording.Part{
		{Name: recording.PartUser, Bytes: p.USSBytes, Source: "Private_Clean + Private_Dirty of smaps_rollup"},
		{Name: recording.PartPageTables, Bytes: p.PageTableBytes, Source: "VmPTE of status"},
		{
			Name:   recording.PartKernelStacks,
			Bytes:  p.Threads * m.stack,
			Source: fmt.Sprintf("%d threads × %d: KernelStack of meminfo over the threads of loadavg", p.Threads, m.stack),
		},
	}
	if m.untasked == nil {
		parts = append(parts, m.tasks(p.Threads))
	}
	files, err := readFiles(filepath.Join(m.proc, fmt.Sprint(p.PID)))
	if err != nil {
		return parts, errors.Join(m.untasked, fmt.Errorf("sockets: %w", err))
	}
	network, askErr := ask(m.proc, files.sockets)
	err = m.unsocketed
	if err == nil {
		var sockets recording.Part
		sockets, err = m.sockets(files, network)
		parts = append(parts, sockets)
	}
	return append(parts, m.polls(files), queues(network)), errors.Join(m.untasked, askErr, err)
}

func (m *Meter) tasks(threads int64) recording.Part {
	return recording.Part{
		Name:  recording.PartTasks,
		Bytes: threads*m.task.bytes + m.process.bytes,
		Source: fmt.Sprintf("%d threads × %d (%s) + %d (%s): slab_size",
			threads, m.task.bytes, m.task, m.process.bytes, m.process),
	}
}

// sockets sums over protocols. The kernel names a protocol and the slab of its sockets alike.
func (m *Meter) sockets(files files, network network) (recording.Part, error) {
	part := recording.Part{Name: recording.PartSockets, Source: "no sockets"}
	var errs []error
	var terms []string
	for _, p := range files.protocols() {
		own, err := m.sizes.of(p.name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%d sockets of %q: %w", p.count, p.name, err))
		}
		part.Bytes += p.count * (own + m.socket.bytes)
		terms = append(terms, fmt.Sprintf("%d %s × %d", p.count, p.name, own+m.socket.bytes))
	}
	part.Bytes += int64(len(network.ports)) * m.port.bytes
	if terms != nil {
		part.Source = fmt.Sprintf("%s (its own, %s) + %d TCP ports × %d (%s): slab_size, system.sockprotoname, sock_diag",
			strings.Join(terms, " + "), m.socket, len(network.ports), m.port.bytes, m.port)
	}
	return part, errors.Join(errs...)
}

func (m *Meter) polls(files files) recording.Part {
	return recording.Part{
		Name:   recording.PartPolls,
		Bytes:  files.polls * m.poll.bytes,
		Source: fmt.Sprintf("%d tfd lines of fdinfo × %d (%s): slab_size", files.polls, m.poll.bytes, m.poll),
	}
}

func queues(network network) recording.Part {
	part := recording.Part{
		Name: recording.PartSocketBuffers, Bytes: network.queued,
		Source: "send and receive queues, overhead included: SKMEMINFO of sock_diag",
	}
	if network.payload {
		part.Source = "send and receive queues, payload only: tx_queue, rx_queue of net/tcp, net/udp"
	}
	return part
}
