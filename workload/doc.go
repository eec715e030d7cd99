// Package workload is what weft compares: one scenario, done under several
// concurrency models, each trial in a fresh child process held at a gate.
//
// The words. A [Model] is a named way of doing the work concurrently. The
// scenario fetch asks an origin for pages and makes one list of departures out
// of them; a page is the unit that costs are divided by. The models
// in Go but go-nethttp run the same client code on the same pages and differ only
// in how they wait: on a thread, in the runtime's network poller, in one epoll set
// for all of them, or for one page after the other. Those in Python, scripts under
// python/ that a [Python] runs, do the same work with the libraries that people
// use. A [Plan] gives the order of the trials; a [Trial] is one execution of one model. The parent starts a child
// ([Start]), which sets itself up and says that it is ready; the parent opens
// the gate; the child works, says that it is done, with its [Result], and waits
// to be let go. At both gates a Go child tells what its runtime holds
// ([GoMemory]). All times are CLOCK_MONOTONIC nanoseconds, which parent, child
// and kernel share.
//
// The stage after this one is the collector, which watches the child between
// its gates. Package origin, below, is the other end of the connections;
// package http1 is the client that the models share.
package workload
