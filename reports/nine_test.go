package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// nineSpec is what a model of the great synthetic recording does: figures of DESIGN's founding experiment, with a
// latency of 290 ms.
type nineSpec struct {
	modelSpec
	perThread  int64 // kernel bytes of a held thread
	userTask   int64 // user bytes of a held task
	blocked    map[string]float64
	idle       float64 // threads of the runtime that wait on a futex
	goMemory   bool
	importOnly int64 // bytes
}

func nineSpecs() []nineSpec {
	spec := func(name string, wallMS, cpuMS, rssMiB, gateMiB float64, threads, flight int64, conns int, calls, switches int64) modelSpec {
		return modelSpec{name, int64(wallMS * 1e6), int64(cpuMS * 1e6), int64(rssMiB * float64(mib)), int64(gateMiB * float64(mib)),
			threads, flight, conns, calls, switches}
	}
	return []nineSpec{
		{spec("go-sequential", 29_320, 96, 10.9, 7.2, 4, 1, 1, 4, 11), 26_000, 1200, map[string]float64{recording.CauseEpoll: 1}, 3, true, 7 << 20},
		{spec("go-threads", 331, 61, 12.2, 7.2, 104, 100, 100, 3, 9), 26_200, 26_000, map[string]float64{recording.CauseSocketRead: .93, recording.CauseConnect: .04}, 4, true, 7 << 20},
		{spec("go-goroutines", 326, 52, 13.4, 7.2, 5, 100, 100, 5, 4), 26_100, 6_100, map[string]float64{recording.CauseEpoll: .9}, 4, true, 7 << 20},
		{spec("go-eventloop", 321, 44, 9.3, 7.2, 4, 100, 100, 4, 2), 26_000, 420, map[string]float64{recording.CauseEpoll: .97}, 3, true, 7 << 20},
		{spec("go-nethttp", 333, 58, 16.4, 7.4, 5, 100, 100, 18, 5), 26_000, 30_400, map[string]float64{recording.CauseEpoll: .9}, 4, true, 7 << 20},
		{spec("py-sequential", 29_940, 710, 28.9, 26.8, 1, 1, 1, 5, 6), 26_000, 2_000, map[string]float64{recording.CauseSocketRead: .98}, 0, false, 26 << 20},
		{spec("py-threads", 522, 590, 36.7, 27.1, 101, 92, 100, 5, 29), 31_000, 45_000, map[string]float64{recording.CauseSocketRead: .7, recording.CauseFutex: .24, recording.CauseConnect: .02}, 0, false, 27 << 20},
		{spec("py-gevent", 501, 470, 47.1, 38.6, 11, 100, 100, 6, 8), 27_000, 37_000, map[string]float64{recording.CauseEpoll: .6, recording.CauseFutex: .1}, 9, false, 38 << 20},
		{spec("py-asyncio", 420, 360, 37.4, 30.1, 1, 100, 100, 7, 3), 26_000, 18_000, map[string]float64{recording.CauseEpoll: .55}, 0, false, 30 << 20},
	}
}

// newNine is a recording of nine models with every evidence there is, the same every time.
func newNine(runs int) *recording.Recording {
	r := newRecording()
	r.Run.Plan.Models, r.Run.Plan.Details = nil, nil
	r.Run.Plan.LatencyNS, r.Run.Plan.MeasuredRuns = 290*ms, runs
	r.Run.Plan.HeldTrials, r.Run.Plan.ControlTrials = 1, 1
	r.Run.Command = []string{"weft", "compare", "--latency", "290ms", "--hold", "-r", fmt.Sprint(runs), "-o", "with space"}
	r.Trials, r.Run.Trials = []*recording.Trial{}, []recording.TrialRef{}
	for _, s := range nineSpecs() {
		r.Run.Plan.Models = append(r.Run.Plan.Models, s.name)
		r.Run.Plan.Details = append(r.Run.Plan.Details, recording.ModelDetail{Name: s.name, Summary: "a synthetic model",
			Sequential: s.flight == 1, ThreadPerTask: strings.HasSuffix(s.name, "-threads")})
	}
	kinds := []recording.Kind{recording.Warmup}
	for range runs {
		kinds = append(kinds, recording.Measured)
	}
	kinds = append(kinds, recording.Held, recording.Held, recording.Profiled, recording.Profiled, recording.Profiled, recording.Control)
	rng := rand.New(rand.NewPCG(23, 42))
	for round, kind := range kinds {
		for _, s := range nineSpecs() {
			addTrial(r, newNineTrial(s, kind, round, rng))
		}
	}
	return r
}

func newNineTrial(s nineSpec, kind recording.Kind, round int, rng *rand.Rand) *recording.Trial {
	s.wall = jitter(s.wall, rng)
	s.cpu = jitter(s.cpu, rng)
	s.rss = jitter(s.rss, rng)
	t := newTestTrial(s.modelSpec, kind, 5) // round 5 adds little of its own
	t.PID = 4000 + round
	if kind == recording.Held && round%2 == 1 {
		t.Concurrency = 10
	}
	addCurves(t, s, rng)
	addSched(t, s, rng)
	addMemory(t, s, kind)
	t.Load = &recording.HostLoad{BusyNS: t.CPU.WorkNS * 2, StallNS: 3 * ms}
	return t
}

// jitter spreads a figure by some per cent, now and then by more.
func jitter(x int64, rng *rand.Rand) int64 {
	f := 1 + 0.02*rng.NormFloat64()
	if rng.IntN(12) == 0 {
		f += 0.08
	}
	return int64(float64(x) * f)
}

// addCurves fills the curves in buckets of the kernel's widths: 1 ms, doubled while there are more than 512.
func addCurves(t *recording.Trial, s nineSpec, rng *rand.Rand) {
	wall := t.WorkNS()
	bucket := ms
	for wall/bucket >= 512 {
		bucket *= 2
	}
	n := int(wall/bucket) + 1
	curve := func(of func(share float64) int64) recording.Curve {
		c := recording.Curve{BucketNS: bucket}
		before := of(0)
		for i := range n {
			after := of(float64(i+1) / float64(n))
			c.Least, c.Greatest, c.Last = append(c.Least, min(before, after)), append(c.Greatest, max(before, after)), append(c.Last, after)
			before = after
		}
		return c
	}
	t.Curves = map[string]recording.Curve{
		recording.CurveThreads: curve(func(x float64) int64 { return 1 + int64(float64(s.threads-1)*min(1, 8*x)) }),
		recording.CurveAwaiting: curve(func(x float64) int64 {
			return int64(math.Round(float64(s.flight) * min(1, 9*x, 6*(1-x))))
		}),
		recording.CurveRSS: curve(func(x float64) int64 {
			grown := float64(s.rss-s.gate) * 1.1 / (1 + math.Exp(-14*(x-0.55)))
			if x > 0.85 {
				grown *= 0.94 // memory was freed
			}
			return s.gate + int64(grown) + rng.Int64N(64)*4096
		}),
	}
	peak := int64(0)
	for _, x := range t.Curves[recording.CurveRSS].Greatest {
		peak = max(peak, x)
	}
	t.Memory = &recording.Memory{PeakBytes: peak, SetupPeakBytes: s.gate + mib/2, BoundBytes: 256 << 10}
}

func addSched(t *recording.Trial, s nineSpec, rng *rand.Rand) {
	wall := float64(t.WorkNS())
	lives := wall * float64(min(s.threads, s.flight))
	time := recording.ThreadTime{RunningNS: t.CPU.WorkNS, RunnableNS: t.CPU.WorkNS / 7, BlockedNS: map[string]int64{}, Wakeups: 100 * s.switches, Migrations: 31}
	for cause, share := range s.blocked {
		time.BlockedNS[cause] = int64(lives * share)
	}
	if s.idle > 0 {
		time.BlockedNS[recording.CauseFutex] += int64(wall * s.idle)
	}
	queue := recording.Histogram{Counts: make([]int64, 24)}
	for range 100 * s.switches {
		ns := math.Exp(rng.NormFloat64()*1.1 + 9.2 + float64(s.threads)/90)
		queue.Counts[min(23, int(math.Log2(ns)))]++
		queue.SumNS += int64(ns)
	}
	t.Sched = &recording.Sched{Time: time, RunQueue: queue,
		Wakers: []recording.Waker{{TID: 0, Name: "swapper/0", Count: 90}, {TID: 4711, Name: "weft", Count: 12}}}
}

// addMemory gives each snapshot its full cost, and Go models their reconciliation.
func addMemory(t *recording.Trial, s nineSpec, kind recording.Kind) {
	tasks := int64(min(t.Concurrency, int(s.flight)))
	gate, end := t.Snapshots[recording.AtGate], t.Snapshots[recording.AtEnd]
	withCost(&gate, s, 4, 0)
	withCost(&end, s, s.threads, int64(s.conns))
	t.Snapshots[recording.AtGate], t.Snapshots[recording.AtEnd] = gate, end
	switch kind {
	case recording.Held, recording.Profiled:
		held := gate
		held.Waiting = tasks
		held.RSSBytes += tasks * s.userTask
		held.PSSBytes += tasks * s.userTask
		held.USSBytes += tasks * s.userTask
		withCost(&held, s, min(s.threads, tasks+4), tasks)
		t.Snapshots[recording.AtHeld] = held
	case recording.Control:
		end = gate
		end.USSBytes, end.PSSBytes, end.RSSBytes = s.importOnly-mib, s.importOnly, s.importOnly
		withCost(&end, s, 4, 0)
		t.Snapshots = map[string]recording.Snapshot{recording.AtGate: gate, recording.AtEnd: end}
		t.Curves = nil
	}
	if s.goMemory {
		t.GoMemory = map[string]recording.GoMemory{recording.AtGate: reconciled(gate.RSSBytes, 1), recording.AtEnd: reconciled(end.RSSBytes, 5)}
	}
}

func withCost(snapshot *recording.Snapshot, s nineSpec, threads, sockets int64) {
	part := func(name string, bytes int64, source string) recording.Part {
		return recording.Part{Name: name, Bytes: bytes, Source: source}
	}
	proc := []recording.Part{
		part(recording.PartUser, snapshot.USSBytes, "Private_Clean + Private_Dirty of smaps_rollup"),
		part(recording.PartPageTables, 60<<10+snapshot.RSSBytes/400, "VmPTE of status"),
		part(recording.PartKernelStacks, threads*16<<10, "Threads of status × 16 KiB"),
		part(recording.PartTasks, threads*(s.perThread-16<<10), "Threads of status × object sizes of slabinfo"),
		part(recording.PartSockets, sockets*4000, "open sockets × object sizes of slabinfo"),
		part(recording.PartSocketBuffers, sockets*1800, "queues of inet_diag"),
	}
	kernel := int64(0)
	for _, p := range proc[1:5] {
		kernel += p.Bytes
	}
	snapshot.Cost = map[string][]recording.Part{
		recording.ByProc:   proc,
		recording.ByCgroup: {proc[0], part(recording.PartKernel, kernel+kernel/50, "memory.kmem.usage_in_bytes"), proc[5]},
	}
}

// reconciled splits resident memory; the parts add up.
func reconciled(rss, live int64) recording.GoMemory {
	g := recording.GoMemory{RSSBytes: rss, HeapLive: live * mib / 2, HeapDead: live * mib / 4, Stacks: live * 128 << 10, Runtime: 2 * mib, FileBacked: 5 * mib / 2}
	g.Rest = rss - g.HeapLive - g.HeapDead - g.Stacks - g.Runtime - g.FileBacked
	return g
}

// newNineView is that recording from disk, with profiles of the Go models, and of one in Python.
func newNineView(t testing.TB, runs int) *View {
	t.Helper()
	r := newNine(runs)
	profiles := map[string]*profile.Profile{}
	for i, s := range nineSpecs()[:5] {
		specs := stackSpecs()
		specs = append(specs[i%3:], stackSpec{frames: []string{"main.main", "only.In" + fmt.Sprint(i)}, heap: 300_000})
		profiles[s.name] = profileOfTrials(r, s.name, specs, float64(1+i%3))
	}
	profiles["py-asyncio"] = profileOfTrials(r, "py-asyncio", []stackSpec{
		{frames: []string{"main", "_PyEval_EvalFrameDefault"}, heap: 900_000, threads: 3, sent: 12_000, recvd: 6_790_000, replies: 100, waited: 2000 * ms},
		{frames: []string{"epoll_wait", "*entry_SYSCALL_64", "*schedule"}, blocked: 300 * ms, runnable: ms, wait: recording.CauseEpoll, cut: true},
	}, 1)
	return NewView(save(t, r, profiles))
}

// profileOfTrials is the profile of a model's profiled trials, whose counters say the same but that some bytes are in no
// stack. Trials differ by one per cent each way; page.Parse costs times as much.
func profileOfTrials(r *recording.Recording, model string, specs []stackSpec, times float64) *profile.Profile {
	var all []stackSpec
	round := 0
	for _, t := range r.Trials {
		if t.Model != model || t.Kind != recording.Profiled {
			continue
		}
		round++
		var own []stackSpec
		for _, s := range specs {
			s.trial = int64(t.Number)
			factor := 1 + 0.01*float64(round-2)
			if slices.ContainsFunc(s.frames, func(f string) bool { return strings.HasSuffix(f, "page.Parse") }) {
				factor *= times
			}
			for _, value := range []*int64{&s.heap, &s.sent, &s.recvd, &s.samples, &s.cpu, &s.blocked, &s.runnable, &s.waited, &s.grown, &s.goroutines, &s.delayed, &s.unlocked} {
				*value = int64(float64(*value) * factor)
			}
			own = append(own, s)
		}
		countStacks(t, own)
		all = append(all, own...)
	}
	p := newProfile(all)
	p.Comments = []string{fmt.Sprintf("trials=%d", round)}
	return p
}

// countStacks gives a trial the counters of its stacks; 1.3 % of the bytes of models with threads are in none.
func countStacks(t *recording.Trial, specs []stackSpec) {
	var bytes, sent, threads int64
	t.Sched.Time.RunnableNS, t.Sched.Time.BlockedNS = 0, map[string]int64{}
	t.Sockets.Awaiting = recording.Awaiting{Peak: t.Sockets.Awaiting.Peak}
	for _, s := range specs {
		bytes, sent, threads = bytes+s.recvd, sent+s.sent, threads+s.threads
		t.Sched.Time.RunnableNS += s.runnable
		if s.blocked > 0 {
			t.Sched.Time.BlockedNS[s.wait] += s.blocked
		}
		t.Sockets.Awaiting.SumNS += s.waited
		t.Sockets.Awaiting.Replies += s.replies
		t.Memory.GrownBytes += s.grown
	}
	if strings.HasSuffix(t.Model, "-threads") {
		bytes += (bytes + sent) * 13 / 987
	}
	t.Threads.Made = threads + 1
	t.Sockets.Transports = map[string]recording.Transport{"tcp": {SentBytes: sent, RecvBytes: bytes}}
}
