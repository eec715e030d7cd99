package workload

// runSequential fetches page after page over one connection, on the goroutine
// that called it: nothing is ever concurrent. It is the baseline.
func runSequential(f *fetch) {
	f.browse(dialNet)
}
