package bpf

import (
	"strconv"
	"testing"
	"time"
)

// playLeave has args[0] pages touched when it stands at its gate, and does nothing but end: the kernel then frees them.
func playLeave(s stage, args []string) error {
	pages, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	memory, err := mapPages(pages)
	if err != nil {
		return err
	}
	touch(memory)
	if err := s.pause("ready"); err != nil {
		return err
	}
	return s.end(nil)
}

// A thread is sampled as long as it runs, which from Linux 6.16 is mostly after its exit's hook, and its time says the same.
func TestSamplesGoOnToTheEnd(t *testing.T) {
	w := watch(t, Options{Stacks: true}, "leave", "100000")
	w.Say("go")
	w.Decode(new(any))
	w.finish()
	w.checkTimes() // waits for all of them
	running, samples := time.Duration(0), uint64(0)
	for _, l := range w.times {
		running += time.Duration(l.Work.Ns[ActivityRunning])
	}
	_, weights, err := w.probes.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	for key, weight := range weights {
		if key.Kind == StackCPU {
			samples += weight.Count
		}
	}
	// Of a hundred samples ten are sampling error.
	sampled := time.Duration(samples) * time.Duration(Options{}.PeriodNS())
	t.Logf("ran for %v, %d samples are %v", running, samples, sampled)
	if sampled < running*2/3 || sampled > running*3/2 {
		t.Errorf("ran for %v, %d samples are %v", running, samples, sampled)
	}
	w.noLoss()
}
