package cost

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/weft-profiler/weft/collector/recording"
)

// Cgroup is a control group that one process and its descendants have for themselves, so that the kernel counts
// their memory apart. It is made for one trial and removed after it.
//
// Moving a process moves no charge: what it had allocated before stays with the group that it came from. All that it
// and threads that it makes later allocate is charged here, so a difference between two moments is whole.
type Cgroup struct {
	dir     string
	home    string // weft's own group: stragglers are left to it
	unified bool
	cpus    int64 // online, count
}

// groupPrefix begins the name of weft's groups; the pid of the weft that made it follows.
const groupPrefix = "weft-"

// NewCgroup makes a group below weft's own, so that limits that hold for weft hold for the process; with cgroups of
// version 2, where a group that has processes may have no groups, beside it. Groups that a killed weft has left
// behind are removed.
//
// Remove must be called on the result.
func NewCgroup() (*Cgroup, error) {
	self, err := procfs.Self()
	if err != nil {
		return nil, fmt.Errorf("open /proc/self: %w", err)
	}
	place, err := findPlace(self)
	if err != nil {
		return nil, err
	}
	cpus, err := onlineCPUs()
	if err != nil {
		return nil, err
	}
	sweep(place.dir, func(pid int) bool { return pid != self.PID && processLives(pid) })
	c := &Cgroup{
		dir:  filepath.Join(place.dir, groupPrefix+strconv.Itoa(self.PID)),
		home: place.home, unified: place.unified, cpus: cpus,
	}
	if err := os.Mkdir(c.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	if err := c.countBuffers(); err != nil {
		return nil, errors.Join(err, c.Remove())
	}
	if _, err := c.Parts(); err != nil { // a kernel may have the controller and not its files
		return nil, errors.Join(err, c.Remove())
	}
	return c, nil
}

// countBuffers makes version 1 count the memory of TCP's queues: it does so once a limit was set, and only for
// sockets that are made from then on. The limit is none.
func (c *Cgroup) countBuffers() error {
	if c.unified {
		return nil
	}
	return c.write("memory.kmem.tcp.limit_in_bytes", strconv.FormatInt(math.MaxInt64, 10))
}

// Add moves a process in, with all its threads.
func (c *Cgroup) Add(pid int) error {
	return c.write("cgroup.procs", strconv.Itoa(pid))
}

func (c *Cgroup) write(file, text string) error {
	return writeFile(filepath.Join(c.dir, file), text)
}

// writeFile writes to a file that is there.
func writeFile(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open cgroup file: %w", err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write cgroup file: %w", err)
	}
	return nil
}

// Parts is the kernel's account of the group. The user part is not in it: memory.stat is behind by up to 64 pages a
// CPU, and what the process says of itself in smaps_rollup is exact.
func (c *Cgroup) Parts() ([]recording.Part, error) {
	if !c.unified {
		return c.partsOfVersion1()
	}
	// Up to Linux 6.15 reading any statistics of a group adds up what its CPUs have kept for themselves, those of
	// memory.stat too; reading memory.stat does so only when it is much. It is no error not to have the file.
	_, _ = os.ReadFile(filepath.Join(c.dir, "cpu.stat"))
	file, err := os.Open(filepath.Join(c.dir, "memory.stat"))
	if err != nil {
		return nil, fmt.Errorf("read cgroup: %w", err)
	}
	defer file.Close()
	return parseStat(file, c.cpus)
}

// What the account of a group may be off by, in pages a CPU. Kernel memory is charged by whole pages, and a CPU holds
// the rest of the last ones for the next object: less than a page more than the greatest object, a task_struct.
// memory.stat is added up when a CPU has 64 pages to tell, and every 2 s.
const (
	stockPages = 3
	statPages  = 64
)

func boundOf(pages int, cpus int64) int64 { return int64(pages*os.Getpagesize()) * cpus }

// Online is how many CPUs the machine has at work: weft itself may be bound to some of them.
func Online(stat procfs.Stat) int64 { return int64(len(stat.CPU)) }

func onlineCPUs() (int64, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, err
	}
	stat, err := fs.Stat()
	if err != nil {
		return 0, fmt.Errorf("read /proc/stat: %w", err)
	}
	return Online(stat), nil
}

func (c *Cgroup) partsOfVersion1() ([]recording.Part, error) {
	kernel, err := c.readNumber("memory.kmem.usage_in_bytes")
	if err != nil {
		return nil, err
	}
	buffers, err := c.readNumber("memory.kmem.tcp.usage_in_bytes")
	if err != nil {
		return nil, err
	}
	return []recording.Part{
		{
			Name: recording.PartKernel, Bytes: kernel, Source: "memory.kmem.usage_in_bytes of its cgroup",
			Bound: boundOf(stockPages, c.cpus),
		},
		{
			Name: recording.PartSocketBuffers, Bytes: buffers,
			Source: "memory.kmem.tcp.usage_in_bytes of its cgroup: TCP only, in pages",
		},
	}, nil
}

func (c *Cgroup) readNumber(file string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, file))
	if err != nil {
		return 0, fmt.Errorf("read cgroup: %w", err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("read cgroup: %s is %q", file, text)
	}
	return n, nil
}

// kernelFields of memory.stat are what "kernel" sums, which Linux 5.18 brought.
var kernelFields = []string{"kernel_stack", "pagetables", "percpu", "vmalloc", "slab"}

// parseStat reads memory.stat of version 2: lines of a name and a number of bytes.
func parseStat(r io.Reader, cpus int64) ([]recording.Part, error) {
	stat := map[string]int64{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("memory.stat: %q", lines.Text())
		}
		stat[name] = n
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read memory.stat: %w", err)
	}
	for _, name := range []string{"kernel_stack", "slab", "sock"} {
		if _, ok := stat[name]; !ok {
			return nil, fmt.Errorf("no %s in memory.stat", name)
		}
	}
	kernel, source := stat["kernel"], "kernel"
	if _, ok := stat["kernel"]; !ok {
		source = strings.Join(kernelFields, " + ")
		for _, name := range kernelFields {
			kernel += stat[name]
		}
	}
	named := stat["kernel_stack"] + stat["pagetables"]
	bound := boundOf(stockPages+statPages, cpus)
	return []recording.Part{
		{Name: recording.PartPageTables, Bytes: stat["pagetables"], Source: "pagetables of memory.stat", Bound: bound},
		{Name: recording.PartKernelStacks, Bytes: stat["kernel_stack"], Source: "kernel_stack of memory.stat", Bound: bound},
		{
			Name: recording.PartKernel, Bytes: max(0, kernel-named), Source: source + " of memory.stat, less these two",
			Bound: bound,
		},
		{
			Name: recording.PartSocketBuffers, Bytes: stat["sock"], Source: "sock of memory.stat: TCP and UDP, in pages",
			Bound: boundOf(statPages, cpus),
		},
	}, nil
}

// Processes that ended leave their group within some milliseconds.
const (
	removeTries = 50
	removePause = 10 * time.Millisecond
)

// Remove leaves processes that are still in the group to weft's own, and removes it.
func (c *Cgroup) Remove() error {
	var err error
	for range removeTries {
		if err = os.Remove(c.dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		c.expel()
		time.Sleep(removePause)
	}
	return fmt.Errorf("remove cgroup: %w", err)
}

// expel moves processes that outlived the watch. One that ends meanwhile needs no moving.
func (c *Cgroup) expel() {
	text, err := os.ReadFile(filepath.Join(c.dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, pid := range strings.Fields(string(text)) {
		_ = writeFile(filepath.Join(c.home, "cgroup.procs"), pid)
	}
}

// sweep removes groups whose weft is gone. One that is not empty stays: removing it fails.
func sweep(parent string, lives func(pid int) bool) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		text, ok := strings.CutPrefix(entry.Name(), groupPrefix)
		pid, err := strconv.Atoi(text)
		if ok && err == nil && entry.IsDir() && !lives(pid) {
			_ = os.Remove(filepath.Join(parent, entry.Name()))
		}
	}
}

func processLives(pid int) bool {
	_, err := os.Stat(filepath.Join(procfs.DefaultMountPoint, strconv.Itoa(pid)))
	return !errors.Is(err, fs.ErrNotExist)
}
