package symbols

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// Bounds on a name that is demangled. A short one may stand for a very long one: it repeats parts of itself.
const (
	maxMangled   = 1 << 10 // bytes; a longer name stays as it is
	demangledPow = 12      // the result is cut behind 2 to the power of it, bytes
)

// demangled turns a linker's name of C++ (Itanium) or Rust into a readable one, without parameters and template
// parameters: "std::vector::push_back". This is what go tool pprof shows. Other names stay as they are.
func demangled(name string) string {
	if len(name) > maxMangled || !strings.HasPrefix(name, "_Z") && !strings.HasPrefix(name, "_R") {
		return name
	}
	long := demangle.Filter(name, demangle.NoParams, demangle.NoTemplateParams, demangle.NoEnclosingParams, demangle.MaxLength(demangledPow))
	if long == "" {
		return name
	}
	return long
}
