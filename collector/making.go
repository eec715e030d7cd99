package collector

import (
	"strings"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

// reasons tell by a function on the stack that made a thread why Go's runtime made it (runtime/proc.go, the callers of
// newm, startm and handoffp from Go 1.20 to 1.26). The one nearest to the leaf decides.
var reasons = map[string]string{
	"runtime.wakep":                 recording.ReasonWork,
	"runtime.injectglist":           recording.ReasonWork,
	"runtime.retake":                recording.ReasonSyscall,
	"runtime.entersyscallblock":     recording.ReasonSyscall,
	"runtime.stoplockedm":           recording.ReasonLocked,
	"runtime.mexit":                 recording.ReasonLocked,
	"runtime.templateThread":        recording.ReasonLocked, // asked by a thread that is
	"runtime.startTemplateThread":   recording.ReasonTemplate,
	"runtime.startTheWorldWithSema": recording.ReasonWorld,
	"runtime.main":                  recording.ReasonSysmon, // where nothing of the program's is nearer
}

// reason says why a thread was made: empty where the stack does not lead into Go's runtime, as with cgo, whose threads libc
// makes.
func reason(frames []recording.Frame) string {
	ownCode := false
	for _, f := range frames {
		if why, ok := reasons[f.Function]; ok && !(ownCode && why == recording.ReasonSysmon) {
			return why
		}
		ownCode = ownCode || !strings.HasPrefix(f.Function, "runtime.")
	}
	if len(frames) > 0 && strings.HasPrefix(frames[0].Function, "runtime.") {
		return recording.ReasonRuntime
	}
	return ""
}

// made says of the threads in a list why and for which goroutine the runtime made them. The threads are those that the
// list was made of, in any order; stack names the stack of a hash, empty where it is not known.
func (g *goroutines) made(list []recording.Thread, threads []bpf.Thread, stack func(hash uint64) []recording.Frame) {
	if g == nil {
		return
	}
	raw := map[threadIdentity]bpf.Thread{}
	for _, t := range threads {
		if int(t.Pid) == g.pid {
			raw[identity(t)] = t
		}
	}
	for i := range list {
		t, ok := raw[threadIdentity{uint32(list[i].TID), uint64(list[i].StartNS)}]
		if !ok {
			continue
		}
		if t.MadeStack != 0 {
			list[i].Reason = reason(stack(t.MadeStack))
		}
		list[i].GoID, list[i].Locked = t.Goid, t.LockedGoid != 0
		if list[i].Locked {
			list[i].GoID = t.LockedGoid
		}
		list[i].Goroutine = g.of(bpf.WeightKey{Pid: t.Pid, Goid: list[i].GoID}).Entry
	}
}
