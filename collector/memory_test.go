package collector

import (
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

func TestResidentIsChecked(t *testing.T) {
	tests := []struct {
		name          string
		before, after int64 // by the gauge
		bound, pages  int64
		lost          bool
	}{
		{"equal", 1 << 20, 1 << 20, 0, 1 << 20, false},
		{"a page less", 1 << 20, 1 << 20, 0, 1<<20 - 4096, true},
		{"a page more", 1 << 20, 1 << 20, 0, 1<<20 + 4096, true},
		{"within the bound", 1 << 20, 1 << 20, 4096, 1<<20 + 4096, false},
		{"beyond the bound", 1 << 20, 1 << 20, 4096, 1<<20 - 8192, true},
		{"grew between the looks", 1 << 20, 3 << 20, 0, 2 << 20, false},
		{"shrank between the looks", 3 << 20, 1 << 20, 0, 2 << 20, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &Watch{trial: &recording.Trial{
				Memory:    &recording.Memory{BoundBytes: test.bound},
				Snapshots: map[string]recording.Snapshot{recording.AtEnd: {RSSBytes: test.pages}},
			}}
			w.checkResident(test.before, test.after)
			if lost := len(w.trial.Lost) == 1; lost != test.lost {
				t.Fatalf("lost %+v, want %v", w.trial.Lost, test.lost)
			}
			if test.lost && (w.trial.Lost[0].Cause != "rss_mismatch" || !strings.Contains(w.trial.Lost[0].Detail, "smaps_rollup")) {
				t.Errorf("lost %+v", w.trial.Lost[0])
			}
		})
	}
}

func TestAliveAlone(t *testing.T) {
	w := &Watch{trial: &recording.Trial{PID: 23, Threads: recording.Threads{List: []recording.Thread{
		{PID: 23, TID: 23}, {PID: 23, TID: 24, EndNS: 9}, {PID: 25, TID: 25, EndNS: 9},
	}}}}
	if !w.aliveAlone() {
		t.Error("not alone, but its child has ended")
	}
	w.trial.Threads.List[2].EndNS = 0
	if w.aliveAlone() {
		t.Error("alone, but its child lives")
	}
}

func TestCurveInBytes(t *testing.T) {
	got := curveInBytes(bpf.Curve{BucketNS: 1e6, Least: []int64{1, 0}, Greatest: []int64{3, 5}, Last: []int64{2, 4}})
	if got.BucketNS != 1e6 || !slices.Equal(got.Least, []int64{4096, 0}) || !slices.Equal(got.Greatest, []int64{12288, 20480}) ||
		!slices.Equal(got.Last, []int64{8192, 16384}) {
		t.Errorf("%+v", got)
	}
}
