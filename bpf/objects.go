package bpf

import (
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// bpfStatsRunTime is BPF_STATS_RUN_TIME of linux/bpf.h.
const bpfStatsRunTime = 0

// variableCollectStacks is stack.bpf.h's knob.
const variableCollectStacks = taskVarCollectStacks

// The names of the objects, in [Missing] and for [Probes.Has].
const (
	ObjectTask   = "task"
	ObjectSched  = "sched"
	ObjectSock   = "sock"
	ObjectMemory = "memory"
)

// object is one ELF object: a question and the sets of programs that can answer it.
type object struct {
	name string
	load func() (*ebpf.CollectionSpec, error)
	// One set is loaded, the first that the kernel accepts: trying is the only sure test, since
	// distributions backport.
	sets [][]string
}

var objects = []object{
	{ObjectTask, loadTask, [][]string{{
		taskProgTaskNewtask, taskProgSchedProcessExit, taskProgLiveThreads,
	}}},
	// After task: its program for new threads begins the account that this one's relies on.
	{ObjectSched, loadSched, [][]string{{
		schedProgSchedNewtask, schedProgSchedSwitch, schedProgSchedWaking, schedProgSchedWakeup, schedProgSchedWakeupNew,
		schedProgLiveTimes,
	}}},
	{ObjectSock, loadSock, [][]string{{
		sockProgInetSockSetState, sockProgInetSockSetStateTwin, sockProgTcpDestroySock, sockProgTcpRetransmitSkb,
		sockProgSockSendLength, sockProgSockRecvLength, // Linux 6.3
	}, {
		sockProgInetSockSetState, sockProgInetSockSetStateTwin, sockProgTcpDestroySock, sockProgTcpRetransmitSkb,
		sockProgInetSendmsg, sockProgInet6Sendmsg, sockProgInetSendpage,
		sockProgInetRecvmsg, sockProgInet6Recvmsg,
		sockProgUnixStreamSendmsg, sockProgUnixStreamSendpage, sockProgUnixStreamRecvmsg,
		sockProgUnixDgramSendmsg, sockProgUnixDgramRecvmsg,
		sockProgUnixSeqpacketSendmsg, sockProgUnixSeqpacketRecvmsg,
	}}},
	{ObjectMemory, loadMemory, [][]string{{
		memoryProgRssStatSize, memoryProgRssStat, memoryProgHandleMmFault, memoryProgSplitExit, // before Linux 6.2
	}, {
		memoryProgRssStatSize, memoryProgRssStat,
	}}},
	// Last: what is sampled is not to be the attaching of the others.
	{ObjectOnCPU, loadOncpu, [][]string{{oncpuProgSample}}},
}

// sharedMaps are the maps of maps.bpf.h.
var sharedMaps = []string{
	taskMapTargets, taskMapMarks, taskMapThreads, taskMapGauges, taskMapCurves, taskMapSessions, taskMapLosses, taskMapEvents,
	taskMapStacks, taskMapWeights, taskMapWeightsOverflow, taskMapRuntimes, taskMapGoroutines, taskMapNoted,
}

// iterators are the programs that are attached when they are read.
var iterators = map[string]bool{taskProgLiveThreads: true, schedProgLiveTimes: true}

// spec gives the object's specification with one set of programs, sized by the options.
func (o object) spec(set []string, opts Options) (*ebpf.CollectionSpec, error) {
	spec, err := o.load()
	if err != nil {
		return nil, fmt.Errorf("read ELF: %w", err)
	}
	programs := spec.Programs
	spec.Programs = map[string]*ebpf.ProgramSpec{}
	for _, name := range set {
		spec.Programs[name] = programs[name]
	}
	for name, size := range opts.sizes() {
		m := spec.Maps[name]
		if m != nil && m.InnerMap != nil {
			m = m.InnerMap
		}
		if m != nil && size > 0 {
			m.MaxEntries = size
		}
	}
	slots, _ := opts.connectionTables()
	weightSlots, _ := opts.weightTables()
	for name, value := range map[string]any{
		sockVarConnectionSlots: slots,
		taskVarWeightSlots:     weightSlots,
		memoryVarMemorySlots:   opts.memorySlots(),
		schedVarWakerSlots:     opts.wakerSlots(),
		variableCollectStacks:  opts.Stacks,
		memoryVarFollowThreads: spec.Programs[memoryProgHandleMmFault] != nil,
		memoryVarPageUnits:     uint32(os.Getpagesize() / RSSUnit),
	} {
		if v := spec.Variables[name]; v != nil {
			if err := v.Set(value); err != nil {
				return nil, fmt.Errorf("set %s: %w", name, err)
			}
		}
	}
	return spec, nil
}

// attach attaches all programs of a collection, or none. Classic tracepoints come first: of two programs on one
// tracepoint the kernel calls the one first that was attached first, and memory.bpf.c relies on that.
func attach(collection *ebpf.Collection, opts Options) ([]link.Link, error) {
	var links []link.Link
	for _, kind := range []ebpf.ProgramType{ebpf.TracePoint, ebpf.Tracing, ebpf.PerfEvent} {
		for name, program := range collection.Programs {
			if program.Type() != kind || iterators[name] { // run by reading it
				continue
			}
			more, err := attachProgram(name, program, opts)
			if err != nil {
				for _, l := range links {
					l.Close()
				}
				return nil, fmt.Errorf("attach %s: %w", name, err)
			}
			links = append(links, more...)
		}
	}
	return links, nil
}

// classics gives the hooks of programs on classic tracepoints.
var classics = map[string]classic{
	memoryProgRssStatSize: {"kmem", "rss_stat"},
}

func attachProgram(name string, program *ebpf.Program, opts Options) ([]link.Link, error) {
	if program.Type() == ebpf.PerfEvent {
		return sampleCPUs(program, opts)
	}
	var (
		attached link.Link
		err      error
	)
	if hook, ok := classics[name]; ok {
		attached, err = attachClassic(hook, program)
	} else {
		attached, err = link.AttachTracing(link.TracingOptions{Program: program})
	}
	return []link.Link{attached}, err
}
