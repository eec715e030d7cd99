package workload

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ErrLimit is in the chain of every error about a limit of this host that a
// plan would run into.
var ErrLimit = errors.New("host limit too low")

// Demand is what a plan asks of its host.
type Demand struct {
	Concurrency int // connections of one trial at a time
	Requests    int // of one trial
	Trials      int
	KeepAlive   bool
	Threads     bool           // one thread for each connection
	UID         int            // whom the children run as
	Origin      netip.AddrPort // where the connections go; the zero value if not known yet
}

// Demand returns what p asks of the host when its children run as uid.
func (p Plan) Demand(uid int, origin netip.AddrPort) Demand {
	d := Demand{
		Concurrency: p.Concurrency, Requests: p.Requests, Trials: len(p.Trials()),
		KeepAlive: p.KeepAlive, UID: uid, Origin: origin,
	}
	for _, name := range p.Models {
		if m, err := Lookup(name); err == nil && m.Threads {
			d.Threads = true
		}
	}
	return d
}

// connections is how many a trial opens at least.
func (d Demand) connections() int {
	if d.KeepAlive {
		return min(d.Concurrency, d.Requests)
	}
	return d.Requests
}

// Limits is where the limits of a host are read: the real ones, or a
// fixture's.
type Limits struct {
	Proc   string                              // mount point of proc(5)
	Rlimit func(resource int) (Rlimit, error)  // of this process
	owner  func(string) (uid int, exists bool) // of a file under Proc; nil asks the file system
}

// Rlimit is a resource limit: Soft is in force, and a process may raise it to
// Hard. Unlimited is the largest value.
type Rlimit struct{ Soft, Hard uint64 }

// HostLimits reads the limits of this host and process.
func HostLimits() Limits {
	return Limits{
		Proc: "/proc",
		Rlimit: func(resource int) (Rlimit, error) {
			var r unix.Rlimit
			if err := unix.Getrlimit(resource, &r); err != nil {
				return Rlimit{}, fmt.Errorf("getrlimit: %w", err)
			}
			return Rlimit{Soft: r.Cur, Hard: r.Max}, nil
		},
	}
}

// CheckLimits reports what of this host stands in the way of d.
func CheckLimits(d Demand) error { return HostLimits().Check(d) }

// What is open or running beside the tasks of a model: the runtime's threads,
// the gate, the origin's controls.
const (
	spareFiles = 64
	spareTasks = 64
)

// weftFiles is what weft itself has open, for its maps, programs and links: it
// was 354 on 2 CPUs where the probes with stacks are loaded beside the others,
// with two more for each CPU.
const weftFiles = 390

// Check reports everything of the host that stands in the way of d; each part
// of the error says what was found, what is needed and what to change, and
// matches ErrLimit. A limit that cannot be read is an error of its own.
func (l Limits) Check(d Demand) error {
	checks := []func(Demand) error{l.checkFiles, l.checkPorts}
	if d.Threads {
		checks = append(checks, l.checkUserTasks, l.checkSystemTasks)
	}
	var errs []error
	for _, check := range checks {
		errs = append(errs, check(d))
	}
	return errors.Join(errs...)
}

func tooLow(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrLimit}, args...)...)
}

// checkFiles looks at RLIMIT_NOFILE. Children and origin raise the soft limit to
// the hard one when they start, so the hard one counts.
func (l Limits) checkFiles(d Demand) error {
	limit, err := l.Rlimit(unix.RLIMIT_NOFILE)
	if err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if need := uint64(weftFiles + 2*runtime.NumCPU()); need > limit.Hard {
		return tooLow("open files: %d needed by weft itself, hard limit %d: raise it with ulimit -Hn %d as root", need, limit.Hard, need)
	}
	if need := uint64(d.Concurrency + spareFiles); need > limit.Hard {
		return tooLow("open files: %d needed, hard limit %d (the soft limit %d is raised to it anyway): raise it with ulimit -Hn %d as root, or lower --concurrency",
			need, limit.Hard, limit.Soft, need)
	}
	return nil
}

// checkUserTasks looks at RLIMIT_NPROC, which counts the threads of all
// processes of a user and does not bind root.
func (l Limits) checkUserTasks(d Demand) error {
	if d.UID == 0 {
		return nil
	}
	limit, err := l.Rlimit(unix.RLIMIT_NPROC)
	if err != nil {
		return fmt.Errorf("limit of user processes: %w", err)
	}
	used, err := l.tasksOf(d.UID)
	if err != nil {
		return fmt.Errorf("count the user's threads: %w", err)
	}
	if need := uint64(used + d.Concurrency + spareTasks); need > limit.Soft {
		return tooLow("threads of user %d: %d needed, %d of them there already, limit %d: raise it with ulimit -u %d, or lower --concurrency",
			d.UID, need, used, limit.Soft, need)
	}
	return nil
}

// checkSystemTasks looks at the limits that all threads of the host share.
func (l Limits) checkSystemTasks(d Demand) error {
	used, err := l.tasks()
	if err != nil {
		return err
	}
	need := used + d.Concurrency + spareTasks
	var errs []error
	for _, name := range []string{"threads-max", "pid_max"} {
		limit, err := l.number("sys/kernel/" + name)
		if err == nil && need > limit {
			err = tooLow("threads of the host: %d needed, %d of them there already, kernel.%s is %d: raise it with sysctl kernel.%s=%d, or lower --concurrency",
				need, used, name, limit, name, 2*need)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkPorts looks at the ephemeral ports. A connection keeps its port for a
// minute after its end (TIME_WAIT), unless the kernel may use it again.
func (l Limits) checkPorts(d Demand) error {
	first, last, err := l.portRange()
	if err != nil {
		return err
	}
	waiting, err := l.timeWait(d.Origin)
	if err != nil {
		return err
	}
	reuse, err := l.reusesTimeWait(d.Origin)
	if err != nil {
		return err
	}
	ports, need := last-first+1, d.connections()*d.Trials
	why := fmt.Sprintf("%d trials of %d connections", d.Trials, d.connections())
	if reuse {
		need, waiting = min(d.Concurrency, d.Requests), 0
		why = "all in flight at once"
	}
	if need+waiting > ports {
		return tooLow("ephemeral ports: %d needed (%s), %d more in TIME_WAIT, net.ipv4.ip_local_port_range %d-%d has %d: widen it with sysctl net.ipv4.ip_local_port_range=\"1024 65535\", keep connections alive, or lower --requests",
			need, why, waiting, first, last, ports)
	}
	return nil
}

func (l Limits) ownerOf(path string) (uid int, exists bool) {
	if l.owner != nil {
		return l.owner(path)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, false
	}
	return int(st.Uid), true
}

func (l Limits) read(name string) (string, error) {
	text, err := os.ReadFile(l.Proc + "/" + name)
	if err != nil {
		return "", fmt.Errorf("read limit: %w", err)
	}
	return string(text), nil
}
