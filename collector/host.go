package collector

import (
	"bufio"
	"os"
	"runtime"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
)

// ReadHost describes this machine. What can't be read stays empty: it is a description, no measurement.
func ReadHost() recording.Host {
	host := recording.Host{
		OS:        osName("/etc/os-release"),
		Kernel:    kernelRelease(),
		Arch:      runtime.GOARCH,
		CPUs:      runtime.NumCPU(),
		GoVersion: runtime.Version(),
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return host
	}
	if cpus, err := proc.CPUInfo(); err == nil && len(cpus) > 0 {
		host.CPUModel = cpus[0].ModelName
	}
	if memory, err := proc.Meminfo(); err == nil && memory.MemTotalBytes != nil {
		host.MemoryBytes = int64(*memory.MemTotalBytes)
	}
	return host
}

func kernelRelease() string {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return ""
	}
	return unix.ByteSliceToString(uts.Release[:])
}

// osName is PRETTY_NAME of os-release(5).
func osName(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "PRETTY_NAME="); ok {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
