package recording

import (
	"reflect"
	"slices"
	"testing"
)

// A frame counts with its stack's value, in the way that it was found; what was made up counts in none.
func TestFoundIn(t *testing.T) {
	frames := func(ways ...string) (list []Frame) {
		for _, way := range ways {
			list = append(list, Frame{Found: way})
		}
		return list
	}
	got := FoundIn([]Stack{
		{Kind: KindOffCPU, Frames: frames(FoundFirst, FoundFirst, FoundRegister, FoundInlined, FoundFramePointer), Values: Values{BlockedNS: 100, Switches: 5}},
		{Kind: KindOffCPU, Frames: frames(FoundUnwinder, FoundRegister), Values: Values{RunnableNS: 3, Switches: 9}},
		{Kind: KindOffCPU, Frames: []Frame{{Function: "[new thread]"}}, Values: Values{RunnableNS: 1000}},
		{Kind: KindSocket, Frames: frames(FoundRegister), Values: Values{SentBytes: 7, RecvBytes: 70, Calls: 2}},
		{Kind: KindCPU, Frames: frames(FoundRegister), Values: Values{}},
		{Kind: KindRSS, Frames: nil, Cut: true, Values: Values{RSSBytes: 4096}},
	})
	want := []Found{
		{KindOffCPU, map[string]int64{FoundFirst: 200, FoundRegister: 103, FoundInlined: 100, FoundFramePointer: 100, FoundUnwinder: 3}},
		{KindSocket, map[string]int64{FoundRegister: 77}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := FoundIn(nil); len(got) != 0 {
		t.Errorf("of no stack: %v", got)
	}
}

// Every value that stacks are drawn by weighs them: a kind that was forgotten would have no evidence.
func TestFoundInEveryKind(t *testing.T) {
	all := Values{Threads: 1, SentBytes: 1, RecvBytes: 1, CPUNS: 1, BlockedNS: 1, RunnableNS: 1, ReplyWaitNS: 1, RSSBytes: 1}
	var kinds []string
	for _, kind := range []string{KindCPU, KindOffCPU, KindThreadCreate, KindSocket, KindReplyWait, KindRSS} {
		for _, found := range FoundIn([]Stack{{Kind: kind, Frames: []Frame{{Found: FoundRegister}}, Values: all}}) {
			kinds = append(kinds, found.Kind)
		}
	}
	if want := []string{KindCPU, KindOffCPU, KindThreadCreate, KindSocket, KindReplyWait, KindRSS}; !slices.Equal(kinds, want) {
		t.Errorf("got %q, want %q", kinds, want)
	}
}
