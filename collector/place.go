package collector

import (
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/procfs"
)

// The initial namespaces: PROC_PID_INIT_INO and PROC_USER_INIT_INO of include/linux/proc_ns.h.
const (
	initialPidNamespace  = "pid:[4026531836]"
	initialUserNamespace = "user:[4026531837]"
)

// Supported says whether weft can watch here, without loading anything; nil when it can.
func Supported() error {
	if err := checkPlace(os.Readlink); err != nil {
		return err
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return fmt.Errorf("open /proc: %w", err)
	}
	return checkPrivileges(proc)
}

// checkPlace refuses a pid namespace other than the host's: the kernel side speaks of the host's numbers. In a user
// namespace of its own root has every capability, and the kernel grants none of them for BPF.
func checkPlace(readlink func(string) (string, error)) error {
	namespace, err := readlink("/proc/self/ns/pid")
	if err != nil {
		return fmt.Errorf("read pid namespace: %w", err)
	}
	if namespace != initialPidNamespace {
		return fmt.Errorf("%w: weft runs in a pid namespace of its own, the kernel would name other processes; "+
			"run it in the host's (docker run --pid=host)", ErrNotSupported)
	}
	if namespace, err = readlink("/proc/self/ns/user"); err != nil {
		return fmt.Errorf("read user namespace: %w", err)
	}
	if namespace != initialUserNamespace {
		return fmt.Errorf("%w: weft runs in a user namespace of its own (a rootless container?), whose root may not "+
			"load BPF programs; run it as root of the host", ErrNotSupported)
	}
	return nil
}

// capability is a bit of CapEff in /proc/PID/status, from include/uapi/linux/capability.h.
type capability struct {
	name string
	bit  uint
	why  string
}

var capabilities = []capability{
	{"CAP_BPF", 39, "load programs and maps"},
	{"CAP_PERFMON", 38, "attach them to the kernel's tracepoints"},
	{"CAP_SYS_PTRACE", 19, "read another process's memory figures"},
}

// bitAdmin is CAP_SYS_ADMIN, which includes CAP_BPF and CAP_PERFMON.
const bitAdmin = 21

func checkPrivileges(proc procfs.FS) error {
	self, err := proc.Self()
	if err != nil {
		return fmt.Errorf("open /proc/self: %w", err)
	}
	status, err := self.NewStatus()
	if err != nil {
		return fmt.Errorf("read /proc/self/status: %w", err)
	}
	return missingCapabilities(status.CapEff)
}

func missingCapabilities(effective uint64) error {
	has := func(bit uint) bool { return effective&(1<<bit) != 0 }
	var missing []string
	for _, c := range capabilities {
		if has(c.bit) || c.bit > 32 && has(bitAdmin) {
			continue
		}
		missing = append(missing, fmt.Sprintf("%s (%s)", c.name, c.why))
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w without %s; run as root: sudo weft …", ErrNotSupported, strings.Join(missing, ", "))
}
