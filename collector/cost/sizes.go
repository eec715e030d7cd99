package cost

import (
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// slabRoot has a directory a slab cache. /proc/slabinfo has the same sizes, but of caches that the kernel has merged
// it names only one (here UNIX stands under signal_cache), and reading it stops every cache for a moment.
const slabRoot = "/sys/kernel/slab"

// sizes are those of slab caches, by name.
type sizes struct {
	root  string
	known map[string]int64
}

// slabName is what a cache may be called: the name of a socket's protocol comes from the kernel, by way of a
// descriptor of the profiled process, and becomes a path.
var slabName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`)

// of is the room that one object takes, bytes: slab_size, its padding included. It is what the kernel charges to a
// cgroup for the object, 8 bytes of bookkeeping aside; the tail of a slab in which no object fits is in neither.
//
// Only this size is right for task_struct: BTF lacks the registers' part, which is sized when the kernel boots.
func (s sizes) of(name string) (int64, error) {
	if size, ok := s.known[name]; ok {
		return size, nil
	}
	if !slabName.MatchString(name) {
		return 0, fmt.Errorf("slab cache %q: not a name", name)
	}
	text, err := os.ReadFile(filepath.Join(s.root, name, "slab_size"))
	if err != nil {
		return 0, fmt.Errorf("size of slab object: %w", err)
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || size <= 0 || size > maxObject {
		return 0, fmt.Errorf("slab cache %s: size %q", name, text)
	}
	s.known[name] = size
	return size, nil
}

// maxObject is more than any object of a slab has, bytes.
const maxObject = 1 << 20

// slabSum is what one object of each cache of a list takes.
type slabSum struct {
	bytes  int64
	has    []string
	absent []string // caches that the kernel does not have: 0 bytes
}

func (s sizes) sum(caches []string) (slabSum, error) {
	var sum slabSum
	for _, name := range caches {
		size, err := s.of(name)
		if errors.Is(err, fs.ErrNotExist) {
			sum.absent = append(sum.absent, name)
			continue
		}
		if err != nil {
			return slabSum{}, err
		}
		sum.bytes += size
		sum.has = append(sum.has, name)
	}
	return sum, nil
}

// lacks is an error when one of these is absent.
func (s slabSum) lacks(needed ...string) error {
	for _, name := range needed {
		if slices.Contains(s.absent, name) {
			return fmt.Errorf("slab cache %s: %w", name, fs.ErrNotExist)
		}
	}
	return nil
}

// String names the caches.
func (s slabSum) String() string {
	text := strings.Join(s.has, ", ")
	if s.absent != nil {
		text = strings.TrimPrefix(text+"; without "+strings.Join(s.absent, ", "), "; ")
	}
	return text
}

// stackSize is the kernel stack of a thread, THREAD_SIZE, bytes. No file tells it and BTF has no type of that size:
// it is the machine's kernel stacks over its threads, to the nearest power of two. The two counts lie some threads
// apart (idle threads, those that just ended), which is far from a factor of 1.4.
func stackSize(proc string) (int64, error) {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return 0, err
	}
	memory, err := fs.Meminfo()
	if err != nil {
		return 0, fmt.Errorf("read meminfo: %w", err)
	}
	if memory.KernelStackBytes == nil {
		return 0, errors.New("no KernelStack in meminfo")
	}
	threads, err := threadsOf(filepath.Join(proc, "loadavg"))
	if err != nil {
		return 0, err
	}
	return nearestPower(*memory.KernelStackBytes, threads)
}

// The least and the greatest THREAD_SIZE of any architecture with 64 bits.
const (
	minStack = 4 << 10
	maxStack = 128 << 10
)

// nearestPower rounds sum/n to a power of two, by logarithm.
func nearestPower(sum, n uint64) (int64, error) {
	if n == 0 || sum/n < minStack/2 || sum/n > 2*maxStack {
		return 0, fmt.Errorf("%d bytes of kernel stacks for %d threads", sum, n)
	}
	mean := sum / n
	power := uint64(1) << (bits.Len64(mean) - 1)
	if mean*mean > 2*power*power { // nearer to the next one
		power *= 2
	}
	return int64(power), nil
}

// threadsOf reads the number of threads of the machine: 1234 in "0.20 0.18 0.12 1/1234 11206", proc_loadavg(5).
func threadsOf(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read loadavg: %w", err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 4 {
		return 0, fmt.Errorf("loadavg: %q", text)
	}
	_, total, _ := strings.Cut(fields[3], "/")
	threads, err := strconv.ParseUint(total, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("loadavg: %q", text)
	}
	return threads, nil
}
