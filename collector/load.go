package collector

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/prometheus/procfs"

	"github.com/weft-profiler/weft/collector/cost"
	"github.com/weft-profiler/weft/collector/recording"
)

// load is what the machine has done since it was started, durations in ns.
type load struct {
	busy, steal int64
	stall       int64 // -1: the kernel has no PSI
	cpus        int64 // online, count
}

// readLoad reads /proc/stat and /proc/pressure/cpu. The latter is missing without CONFIG_PSI, and says EOPNOTSUPP
// where it is switched off (psi=0).
func readLoad(fs procfs.FS) (load, error) {
	stat, err := fs.Stat()
	if err != nil {
		return load{}, fmt.Errorf("read /proc/stat: %w", err)
	}
	all := stat.CPUTotal // guest time is part of user
	l := load{
		busy:  seconds(all.User + all.Nice + all.System + all.IRQ + all.SoftIRQ),
		steal: seconds(all.Steal),
		stall: -1,
		cpus:  cost.Online(stat),
	}
	pressure, err := fs.PSIStatsForResource("cpu")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		return l, nil
	}
	if err != nil {
		return load{}, fmt.Errorf("read /proc/pressure/cpu: %w", err)
	}
	if pressure.Some != nil {
		l.stall = int64(pressure.Some.Total) * int64(time.Microsecond)
	}
	return l, nil
}

// seconds undoes the division by USER_HZ.
func seconds(s float64) int64 { return int64(math.Round(s*100)) * int64(10*time.Millisecond) }

// since gives what the machine did between two looks. The kernel's own sums can step back a little (steal, and time
// that is split anew between user and system).
func (l load) since(before load) *recording.HostLoad {
	host := &recording.HostLoad{
		BusyNS:  max(l.busy-before.busy, 0),
		StealNS: max(l.steal-before.steal, 0),
		StallNS: -1,
	}
	if l.stall >= 0 && before.stall >= 0 {
		host.StallNS = max(l.stall-before.stall, 0)
	}
	return host
}
