package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/workload"
)

// What is linked into weft must not be at work in a child before its gate: no package's init may have made BPF maps
// in it, or started the runtime's network poller, which go-threads and go-eventloop are there to do without.
func TestChildStartsBare(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range workload.Models() {
		if model.Python() {
			continue // nothing of weft is in it
		}
		command := workload.ModelCommand(exe, model, workload.Config{URL: "http://127.0.0.1:1", Concurrency: 1})
		child, err := workload.Start(t.Context(), command)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := child.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		dir := "/proc/" + strconv.Itoa(child.PID()) + "/fd"
		fds, err := os.ReadDir(dir)
		if err != nil {
			t.Error(err)
		}
		for _, fd := range fds {
			// epoll, eventfd, and what bpf(2) makes
			if link, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && strings.HasPrefix(link, "anon_inode:") {
				t.Errorf("%s has a descriptor of %s at its gate", model.Name, link)
			}
		}
		child.Kill()
		child.Wait() // killed by us
	}
}
