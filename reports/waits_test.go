package reports

import (
	"reflect"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

func TestWaits(t *testing.T) {
	trial := func(kind recording.Kind, units int, blocked map[string]int64) *recording.Trial {
		return &recording.Trial{Kind: kind, Work: recording.Work{Units: units}, Sched: &recording.Sched{Time: recording.ThreadTime{BlockedNS: blocked}}}
	}
	failed := trial(recording.Measured, 10, map[string]int64{recording.CausePipe: 9000})
	failed.Failure = &recording.Failure{}
	got := waits([]*recording.Trial{
		trial(recording.Warmup, 10, map[string]int64{recording.CausePipe: 9000}),
		trial(recording.Measured, 10, map[string]int64{recording.CauseFutex: 300, recording.CauseEpoll: 100, recording.CausePipe: 0}),
		trial(recording.Measured, 30, map[string]int64{recording.CauseFutex: 100, recording.CauseEpoll: 900}),
		{Kind: recording.Measured, Work: recording.Work{Units: 10}}, failed,
	})
	if want := []Wait{{recording.CauseEpoll, 25}, {recording.CauseFutex, 10}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := waits(nil); got == nil || len(got) > 0 {
		t.Errorf("%v: a list that JavaScript reads is never null", got)
	}
}

// Parked helpers are no wait of a model that needs no thread for each task; the GIL is one of those that do.
func TestMostWait(t *testing.T) {
	parked := []Wait{{recording.CauseFutex, 300}, {recording.CauseSleep, 200}, {recording.CauseEpoll, 100}}
	futex := []Wait{{recording.CauseFutex, 300}}
	tests := []struct {
		list   []Wait
		detail *recording.ModelDetail
		want   string
	}{
		{parked, &recording.ModelDetail{}, recording.CauseEpoll},
		{parked, &recording.ModelDetail{ThreadPerTask: true}, recording.CauseFutex},
		{parked, nil, recording.CauseFutex},
		{futex, &recording.ModelDetail{}, recording.CauseFutex},
		{nil, &recording.ModelDetail{}, ""},
	}
	for _, test := range tests {
		if got := mostWait(test.list, test.detail); got != test.want {
			t.Errorf("%v, %+v: %q, want %q", test.list, test.detail, got, test.want)
		}
	}
}

// Every cause has a word that fits the column.
func TestShortCauses(t *testing.T) {
	seen := map[string]bool{}
	for _, cause := range recording.Causes() {
		short := waitCell(&Model{Wait: cause})
		if short == "" || len(short) > len("connect") || seen[short] {
			t.Errorf("%s: %q", cause, short)
		}
		seen[short] = true
	}
}
