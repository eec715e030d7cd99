package bpf

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Without a tracefs that is mounted a classic tracepoint is attached all the same.
func TestClassicTracepointWithoutTracefs(t *testing.T) {
	needProbes(t)
	id, err := classic{"kmem", "rss_stat"}.number()
	if err != nil || id == 0 {
		t.Fatalf("number %d, %v", id, err)
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.TracePoint, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	stats, err := ebpf.EnableStats(bpfStatsRunTime)
	if err != nil {
		t.Fatal(err)
	}
	defer stats.Close()
	attached, err := attachNumbered(id, program)
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	memory, err := mapPages(100 * 66) // before Linux 6.2 each of the threads that run this tells at its 65th page fault
	if err != nil {
		t.Fatal(err)
	}
	touch(memory)
	seen, err := program.Stats()
	if err != nil || seen.RunCount < 23 {
		t.Errorf("%d runs, %v, want 23 or more", seen.RunCount, err)
	}
}

func TestNoSuchTracepoint(t *testing.T) {
	needProbes(t)
	if id, err := (classic{"kmem", "no_such"}).number(); err == nil || !strings.Contains(err.Error(), "events/kmem/no_such/id") {
		t.Errorf("number %d, %v", id, err)
	}
}
