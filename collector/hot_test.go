package collector

import (
	"os/exec"
	"testing"

	"github.com/weft-profiler/weft/bpf/exectest"
	"github.com/weft-profiler/weft/collector/recording"
)

// The samples of the CPU are shared out as the program's own clock says.
func TestSamplesAreSharedOut(t *testing.T) {
	needRoot(t)
	var told struct {
		Shares []struct {
			Function string `json:"function"`
			CPUNS    int64  `json:"cpu_ns"`
		} `json:"shares"`
		CPUNS int64 `json:"cpu_ns"`
		NapNS int64 `json:"nap_ns"`
		Sent  int64 `json:"sent"`
		Naps  int64 `json:"rounds"` // of 2 ms
	}
	p := &played{}
	p.play(t, exec.Command(exectest.Build(t, "testdata/hot", false), "-wait", "-for", "2s"), func(program *exectest.Program) {
		program.Decode(&told)
	})
	hot := int64(0)
	for _, s := range told.Shares {
		hot += p.through(recording.KindCPU, s.Function).Samples
	}
	if hot < 1000 || len(told.Shares) != 5 {
		t.Fatalf("%d samples of %d functions, want 1,000 of 5", hot, len(told.Shares))
	}
	for _, s := range told.Shares {
		got := float64(p.through(recording.KindCPU, s.Function).Samples) / float64(hot)
		want := float64(s.CPUNS) / float64(told.CPUNS)
		t.Logf("%s has %.1f %% of %d samples, and %.1f %% of the CPU time", s.Function, 100*got, hot, 100*want)
		// The error of a share of 40 % by 7,000 samples is 0.6 %; the rest is for a machine that others use too.
		if got < want-0.04 || got > want+0.04 {
			t.Errorf("%s has a share of %.3f, want %.3f", s.Function, got, want)
		}
	}
	if nap := p.through(recording.KindOffCPU, "snooze"); nap.BlockedNS+nap.RunnableNS > told.NapNS || !slept(nap, told.Naps*2_000_000, told.Naps) || told.Naps == 0 {
		t.Errorf("snooze was blocked for %d ns and ready for %d, want %d to %d together", nap.BlockedNS, nap.RunnableNS, told.Naps*2_000_000, told.NapNS)
	}
	if sent := p.through(recording.KindSocket, "chat").SentBytes; sent != told.Sent {
		t.Errorf("chat sent %d bytes, want %d", sent, told.Sent)
	}
}
