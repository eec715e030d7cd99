package workload

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// spareThreads is what the Go runtime may start beside the workers' threads.
const spareThreads = 1000

// runThreads starts as many workers as there may be requests in flight, each
// on an operating system thread of its own that blocks in the kernel when it
// waits: no network poller, no goroutine switch. The goroutine that calls it
// only waits for them.
func runThreads(f *fetch) {
	// The runtime ends a program with more than 10,000 threads, unless told.
	debug.SetMaxThreads(f.cfg.Concurrency + spareThreads)
	var workers sync.WaitGroup
	for range f.cfg.Concurrency {
		workers.Go(func() {
			// Never unlocked: the thread serves this goroutine only, and
			// ends with it.
			runtime.LockOSThread()
			f.browse(dialRaw)
		})
	}
	workers.Wait()
}
