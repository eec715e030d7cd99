package collector

import (
	"os"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/bpf"
)

// needRoot skips what loads probes where that is not allowed.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for the probes")
	}
}

// What was loaded in advance is used once, with stacks and as a session that begins then, and let go where nobody asks for it.
func TestPrepareStacks(t *testing.T) {
	needRoot(t)
	others := ofBPF(t)
	c, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	before := ofBPF(t)
	c.PrepareStacks()
	c.PrepareStacks() // the first call's are coming
	if err := c.load(false); err != nil || c.probes.Has(bpf.ObjectOnCPU) {
		t.Errorf("counting meanwhile: %v", err)
	}
	if err := c.load(true); err != nil || c.coming != nil || !c.probes.Has(bpf.ObjectOnCPU) {
		t.Errorf("with stacks: %v, still coming %v", err, c.coming != nil)
	}
	c.PrepareStacks() // they are there
	if err := c.load(false); err != nil || c.coming != nil {
		t.Errorf("counting again: %v, coming %v", err, c.coming != nil)
	}
	if after := ofBPF(t); after != before {
		t.Errorf("%d maps, programs and links, and %d before", after, before)
	}
	c.PrepareStacks()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if left := ofBPF(t) - others; left != 0 {
		t.Errorf("%d maps, programs and links are left", left)
	}
}

// What cannot be loaded in advance is tried again by itself.
func TestPrepareStacksFails(t *testing.T) {
	needRoot(t)
	c, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.coming = make(chan loaded, 1)
	c.coming <- loaded{err: os.ErrInvalid}
	if err := c.load(true); err != nil || !c.probes.Has(bpf.ObjectOnCPU) {
		t.Errorf("with stacks: %v", err)
	}
}

// ofBPF counts what this process has open of maps, programs and links.
func ofBPF(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range entries {
		target, _ := os.Readlink("/proc/self/fd/" + entry.Name()) // the list's own is gone
		if strings.HasPrefix(target, "anon_inode:bpf") || strings.Contains(target, "perf_event") {
			n++
		}
	}
	return n
}
