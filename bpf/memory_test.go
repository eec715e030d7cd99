package bpf

import (
	"fmt"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPeakOfOneThread(t *testing.T) {
	const pages = 10007
	w := watch(t, Options{}, "touch", "1", strconv.Itoa(pages))
	before := w.gauge(GaugeRSS)
	w.say("go")
	var truth any
	w.truth(&truth)
	fmt.Println(before, w.gauge(GaugeRSS))
	w.finish()
	fmt.Println(w.gauge(GaugeRSS))
	fmt.Println(w.probes.MemorySums())
	c, _ := w.probes.Costs()
	fmt.Println(c)
	w.noLoss()
}

// playTouch lets args[0] threads touch args[1] pages each and give them back, twice.
func playTouch(s stage, args []string) error {
	pages, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	memory, err := unix.Mmap(-1, 0, pages*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	if err := unix.Munmap(memory); err != nil {
		return err
	}
	return s.end(nil)
}
