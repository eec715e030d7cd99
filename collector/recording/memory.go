package recording

// Memory is the resident memory of the process and its descendants over time, from kmem:rss_stat, which fires at
// each change of a counter: file, anonymous and shared memory together. A page shared by n processes counts n
// times.
type Memory struct {
	PeakBytes      int64 `json:"peak_bytes"`       // greatest value from the gate to done, that at the gate included, bytes
	SetupPeakBytes int64 `json:"setup_peak_bytes"` // greatest value before the gate, bytes
	BoundBytes     int64 `json:"bound_bytes"`      // the peak may be wrong by so much, either way; 0: it is exact
	GrownBytes     int64 `json:"grown_bytes"`      // sum of all growth, gross, which stacks of rss must add up to; 0 where it was not counted, bytes
	Foreign        int64 `json:"foreign"`          // changes made while no thread of the program was current (reclaim), counted in the figures, count
}

// Parts that memory is made of: names of Part.
const (
	PartUser          = "user"           // private memory, USS of smaps_rollup
	PartPageTables    = "page tables"    // VmPTE of status
	PartKernelStacks  = "kernel stacks"  // of the threads
	PartTasks         = "tasks"          // task_struct and what each thread has of its own in slabs
	PartSockets       = "sockets"        // socket, inode, dentry and file of each open socket, in slabs
	PartPolls         = "polls"          // epoll items
	PartKernel        = "kernel"         // all kernel memory in one figure, where a cgroup counts it
	PartSocketBuffers = "socket buffers" // bytes in the send and receive queues, in no figure of a process
)

// Part is one part of the full cost of a process at one point.
type Part struct {
	Name   string `json:"name"`   // "user", "page tables", "kernel stacks", "tasks", "sockets", …
	Bytes  int64  `json:"bytes"`  // bytes
	Source string `json:"source"` // file and field, or struct size: where the figure comes from
	Bound  int64  `json:"bound"`  // it may be too great or too small by so many bytes; 0: it is exact, as its source defines it
}

// Kernel memory by one way of finding it out: KernelBytes sums over parts other than user and socket buffers.
//
// Both count what the kernel charges for: whole objects, without the tail of a slab in which no object fits. ByCgroup
// has the descendants in it, and not what the process was charged before it was put into its cgroup, right after its
// start: of the two it is the one to take differences of. ByProc is the process alone and a lower bound: mappings,
// files that are no sockets, pipes and timers are not in it.
const (
	ByCgroup = "cgroup" // the kernel's own account of a cgroup that the process had for itself; not in timed trials
	ByProc   = "proc"   // counts in /proc times the sizes of slab objects
)

// GoMemory is what the Go runtime says of its memory (runtime/metrics), beside the RSS of the same moment. The
// parts sum to RSSBytes.
type GoMemory struct {
	RSSBytes   int64 `json:"rss_bytes"`   // Rss of smaps_rollup, bytes
	HeapLive   int64 `json:"heap_live"`   // objects in use or not yet swept, /memory/classes/heap/objects, bytes
	HeapDead   int64 `json:"heap_dead"`   // heap held without objects: unused + free, bytes
	Stacks     int64 `json:"stacks"`      // of goroutines and of threads made by the runtime, bytes
	Runtime    int64 `json:"runtime"`     // the runtime's own: metadata, profiling, other, bytes
	FileBacked int64 `json:"file_backed"` // Rss - Anonymous of smaps_rollup: code and read-only data, bytes
	Rest       int64 `json:"rest"`        // what is left; negative where the runtime counts memory that is not resident, bytes
}

// HostLoad is what the machine did beside the trial, from the gate to done.
type HostLoad struct {
	BusyNS  int64 `json:"busy_ns"`  // CPU time of everything that ran, user, nice, system, irq and softirq of /proc/stat, in steps of 10 ms, a duration
	StealNS int64 `json:"steal_ns"` // CPU time that the hypervisor gave to other machines, steal of /proc/stat, a duration
	StallNS int64 `json:"stall_ns"` // time in which some thread of the machine waited for a CPU, "some" of /proc/pressure/cpu, a duration; -1 where the kernel has no PSI
}
