package workload

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Model is a named way of doing the work concurrently.
type Model struct {
	Name       string
	Summary    string // half a line for --list
	Sequential bool   // never has more than one request in flight
	Threads    bool   // has one operating system thread for each request in flight
	Own        bool   // has as many requests in flight as its library takes by itself
	HeapPprof  bool   // answers to heap with a pprof profile
	HeapStacks bool   // answers to heap with stacks

	// run does the whole scenario and returns when every page is finished.
	// Nil for a model that is an external program.
	run func(*fetch)

	script    string    // of a model in Python: its file under python/, else empty
	libraries []library // what the script needs beside Python's standard library
}

// ErrModel is the name of a model that does not exist.
var ErrModel = errors.New("unknown model")

// Models lists the models that this build of weft knows, in the order of
// reports.
func Models() []Model {
	return []Model{
		{
			Name:       "go-sequential",
			Summary:    "one request after another, one connection",
			Sequential: true, HeapPprof: true,
			run: runSequential,
		}, {
			Name:    "go-threads",
			Summary: "one locked OS thread a task, blocking sockets, no network poller",
			Threads: true, HeapPprof: true,
			run: runThreads,
		}, {
			Name:      "go-goroutines",
			Summary:   "one goroutine a task, parked in the network poller",
			HeapPprof: true,
			run:       runGoroutines,
		}, {
			Name:      "go-eventloop",
			Summary:   "one thread for all tasks, non-blocking sockets, epoll",
			HeapPprof: true,
			run:       runEventLoop,
		}, {
			Name:      "go-nethttp",
			Summary:   "one goroutine a request with net/http, as people write it",
			HeapPprof: true,
			run:       runNetHTTP,
		}, {
			Name:       "py-sequential",
			Summary:    "one request after another with requests, one connection",
			Sequential: true, HeapStacks: true,
			script: "py_sequential.py", libraries: []library{requests},
		}, {
			Name:    "py-threads",
			Summary: "requests in the threads of a ThreadPoolExecutor",
			Threads: true, HeapStacks: true,
			script: "py_threads.py", libraries: []library{requests},
		}, {
			Name:       "py-gevent",
			Summary:    "requests, patched to wait in gevent's loop, one greenlet a task",
			HeapStacks: true,
			script:     "py_gevent.py", libraries: []library{requests, gevent},
		}, {
			Name:       "py-asyncio",
			Summary:    "aiohttp, one coroutine a task on one event loop",
			HeapStacks: true,
			script:     "py_asyncio.py", libraries: []library{aiohttp},
		},
	}
}

// ownSuffix ends the name of a model whose pool is as large as its library makes
// it when nobody says how large: "py-threads.own" beside "py-threads".
const ownSuffix = ".own"

// Lookup finds a model by its name, with ownSuffix or without. An unknown name is
// ErrModel, with the names that are known.
func Lookup(name string) (Model, error) {
	models := Models()
	base, own := strings.CutSuffix(name, ownSuffix)
	i := slices.IndexFunc(models, func(m Model) bool { return m.Name == base && (!own || m.HasOwn()) })
	switch {
	case i >= 0 && own:
		m := models[i]
		m.Name, m.Own = name, true
		m.Summary += ", as many as the library takes by itself"
		return m, nil
	case i >= 0:
		return models[i], nil
	}
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = m.Name
	}
	return Model{}, fmt.Errorf("%w %q: one of %s, or %s", ErrModel, cut(name), strings.Join(names, ", "), strings.Join(OwnNames(), ", "))
}

// OwnNames lists the names, beside those of Models, of models with their
// library's own concurrency.
func OwnNames() []string {
	var names []string
	for _, m := range Models() {
		if m.HasOwn() {
			names = append(names, m.OwnName())
		}
	}
	return names
}

// HasOwn reports whether the model's library has a concurrency of its own.
func (m Model) HasOwn() bool { return m.Python() && !m.Sequential }

// OwnName is the name of the model with its library's own concurrency.
func (m Model) OwnName() string { return m.Name + ownSuffix }

// Python reports whether the model is a Python script: then it is run by
// [Python.Command], and may lack what it needs on this host.
func (m Model) Python() bool { return m.script != "" }

// Concurrency returns how many requests the model has in flight at most when
// it is asked for n.
func (m Model) Concurrency(n int) int {
	if m.Sequential {
		return 1
	}
	return n
}
