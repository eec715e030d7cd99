// Command weft shows what each task in flight costs under different concurrency models, and which line pays.
package main

import (
	"os"

	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

// version is that of the release, or of the one that is being made: it is raised here.
const version = "0.1.0"

func main() {
	os.Exit(start(os.Args))
}

// start tells the roles of the binary apart. A model or the origin is a child of another weft and comes first,
// so that it carries as little of weft as can be.
func start(args []string) int {
	switch {
	case workload.IsChild(args):
		return workload.RunChild(args)
	case origin.IsChild(args):
		return origin.RunChild(args)
	}
	return run(args[1:], os.Stdout, os.Stderr)
}
