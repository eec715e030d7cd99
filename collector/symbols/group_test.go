package symbols

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

func TestGroup(t *testing.T) {
	first, second := compile(t, "gcc", hereProgram), compile(t, "gcc", strings.ReplaceAll(hereProgram, "here", "there"))
	s := New("/proc")
	defer s.Close()
	g := s.NewGroup()
	a, b, late := start(t, exec.Command(first)), start(t, exec.Command(second)), start(t, exec.Command(first))
	g.Look(a.PID, b.PID)
	g.Look(b.PID)
	for _, h := range []here{a, b, late} {
		h.End()
	}
	g.Look(a.PID, late.PID)
	if err := g.Close(); err != nil { // names stay
		t.Error(err)
	}
	for _, tt := range []struct {
		h    here
		want string
	}{
		{a, "here"},
		{b, "there"},
		{late, fmt.Sprintf("process %d gone+%#x", late.PID, late.address)},
	} {
		frames, cut := g.Stack(tt.h.PID, []uint64{tt.h.address})
		if len(frames) != 1 || frames[0].Function != tt.want || !cut {
			t.Errorf("cut %t, %+v, want %s", cut, frames, tt.want)
		}
	}
	problems := g.Problems()
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), fmt.Sprintf("process %d: ", late.PID)) {
		t.Errorf("problems %v", problems)
	}
}

// TestGroupBound: what does not fit is not looked at, and has addresses for names.
func TestGroupBound(t *testing.T) {
	s := New("/proc")
	g := s.NewGroup()
	for pid := range maxProcesses {
		g.members[-pid-1] = nil
	}
	program := startCat(t)
	g.Look(program.PID)
	if problems := g.Problems(); len(g.members) != maxProcesses || len(problems) != 1 {
		t.Errorf("%d members, problems %v", len(g.members), problems)
	}
	program.End()
}
