package symbols

// roots are the Go functions at which a walk by frame pointers has seen the whole stack. The runtime marks
// some of them as ends of its own tracebacks; they end a stack here too, under whatever name an obfuscator
// gave them. The others set the frame pointer to zero because they begin on a fresh stack.
//
//	runtime.goexit     marked  every goroutine returns to it
//	runtime.rt0_go     marked  the first thread, before there are goroutines
//	runtime.mstart     marked  every other thread
//	runtime.sigtramp   marked  a signal handler, on its own stack
//	runtime.mcall              the scheduler, when a goroutine gave up its thread
//	runtime.morestack          the runtime, when a goroutine's stack had to grow or it was preempted
//
// runtime.systemstack is no root: it keeps the frame pointer, so that the walk goes on to the goroutine
// that called it.
//
// Beyond a root there is nothing but what an earlier user of the register left there.
func isRoot(function string) bool {
	switch function {
	case "runtime.goexit", "runtime.rt0_go", "runtime.mstart", "runtime.sigtramp",
		"runtime.mcall", "runtime.morestack":
		return true
	}
	return false
}
