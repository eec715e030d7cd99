package bpf

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// ObjectOnCPU is loaded only where stacks are taken.
const ObjectOnCPU = "oncpu"

// How often a CPU is sampled for its stack, in Hz: unless set, and at most. The kernel's timer has no period below 10 µs
// (kernel/events/core.c, perf_swevent_start_hrtimer), and a sample takes some of that.
const (
	DefaultFrequency = 4999
	MaxFrequency     = 20_000
)

// PeriodNS is the time from sample to sample, a duration.
func (o Options) PeriodNS() int64 { return 1e9 / int64(cmp.Or(o.Frequency, DefaultFrequency)) }

// clock is a program on a CPU's clock.
type clock struct {
	link.Link
	event int // perf's, by which it is started and stopped
}

func (c *clock) Close() error { return errors.Join(c.Link.Close(), unix.Close(c.event)) }

// setClocks starts or stops the clocks. They stand still while nothing is to be sampled: where the kernel is a guest an
// interrupt may cost more than 50 µs, which made Python's imports half as long again.
func (p *Probes) setClocks(on bool) error {
	request := uint(unix.PERF_EVENT_IOC_DISABLE)
	if on {
		request = unix.PERF_EVENT_IOC_ENABLE
	}
	for _, l := range p.links {
		c, ok := l.(*clock)
		if !ok {
			continue
		}
		if err := unix.IoctlSetInt(c.event, request, 0); err != nil {
			return fmt.Errorf("start or stop the clock of a CPU: %w", err)
		}
	}
	return nil
}

// sampleCPUs attaches a program to the clock of each CPU that is online. The clocks stand still.
//
// Source: perf_event_open(2), PERF_COUNT_SW_CPU_CLOCK: a timer of the kernel, there without hardware counters.
func sampleCPUs(program *ebpf.Program, opts Options) ([]link.Link, error) {
	attr := unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_SOFTWARE,
		Config: unix.PERF_COUNT_SW_CPU_CLOCK,
		Sample: uint64(opts.PeriodNS()),
		Bits:   unix.PerfBitExcludeIdle | unix.PerfBitDisabled,
	}
	var links []link.Link
	for cpu := range ebpf.MustPossibleCPU() {
		l, err := sampleCPU(program, attr, cpu)
		if errors.Is(err, unix.ENODEV) { // offline
			continue
		}
		if err != nil {
			for _, l := range links {
				l.Close()
			}
			return nil, fmt.Errorf("sample CPU %d: %w", cpu, err)
		}
		links = append(links, l)
	}
	return links, nil
}

func sampleCPU(program *ebpf.Program, attr unix.PerfEventAttr, cpu int) (link.Link, error) {
	event, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open perf event: %w", err)
	}
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: event, Program: program, Attach: ebpf.AttachPerfEvent})
	if err != nil {
		return nil, errors.Join(err, unix.Close(event))
	}
	return &clock{l, event}, nil
}
