package reports

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// cutName is the root of stacks whose own root was not reached.
const cutName = "[cut: callers not reached]"

// readyName is the frame of time in which a thread was ready and had no CPU.
const readyName = "[" + recording.WaitRunnable + "]"

// frame is one function call of a stack.
type frame struct {
	name    string
	file    string
	line    int64
	inlined bool
	kernel  bool // it is code of the kernel
	made    bool // it is no function: weft's own word for a state
}

// isKernel says that an address is in the kernel's own code or in a module, whose names are in brackets. So are the
// names of what the kernel maps for programs to run.
func isKernel(location *profile.Location) bool {
	m := location.Mapping
	return m != nil && strings.HasPrefix(m.File, "[") && !slices.Contains([]string{"[vdso]", "[vsyscall]"}, m.File)
}

// locationFrames gives the calls at one address, caller first. pprof lists the innermost inlined call first.
func locationFrames(location *profile.Location) []frame {
	if len(location.Line) == 0 {
		return []frame{{name: addressName(location), kernel: isKernel(location)}}
	}
	var frames []frame
	for i, line := range slices.Backward(location.Line) {
		f := frame{line: line.Line, inlined: i < len(location.Line)-1, kernel: isKernel(location)}
		if line.Function != nil {
			f.name, f.file = line.Function.Name, line.Function.Filename
		}
		if f.name == "" {
			f.name = addressName(location)
		}
		frames = append(frames, f)
	}
	return frames
}

// addressName stands for a function without a name.
func addressName(location *profile.Location) string {
	if location.Mapping != nil && location.Mapping.File != "" {
		offset := location.Address - location.Mapping.Start + location.Mapping.Offset
		return fmt.Sprintf("%s+0x%x", path.Base(location.Mapping.File), offset)
	}
	return fmt.Sprintf("0x%x", location.Address)
}
