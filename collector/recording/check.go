package recording

import (
	"fmt"
	"slices"
)

// CheckValid says what is wrong with the run: readers may rely on what it checks.
func (r *Run) CheckValid() error {
	if r.Version != Version {
		return fmt.Errorf("version %d: want %d", r.Version, Version)
	}
	if err := r.checkLengths(); err != nil {
		return err
	}
	if err := r.Plan.checkValid(); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	last := 0
	for _, ref := range r.Trials {
		if ref.Number <= last {
			return fmt.Errorf("trial %d after trial %d: numbers must rise from 1", ref.Number, last)
		}
		last = ref.Number
		if err := r.checkRef(ref.Model, ref.File); err != nil {
			return fmt.Errorf("trial %d: %w", ref.Number, err)
		}
		if !ref.Kind.known() {
			return fmt.Errorf("trial %d: unknown kind %q", ref.Number, ref.Kind)
		}
	}
	for _, s := range r.Skipped {
		if err := CheckModel(s.Model); err != nil {
			return fmt.Errorf("skipped: %w", err)
		}
		if slices.Contains(r.Plan.Models, s.Model) {
			return fmt.Errorf("skipped: model %q is in the plan", s.Model)
		}
	}
	return r.checkFiles()
}

// checkFiles looks at the profiles and at the list of files.
func (r *Run) checkFiles() error {
	seen := map[string]bool{}
	for _, ref := range r.Profiles {
		if err := r.checkRef(ref.Model, ref.File); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		if seen[ref.Model] {
			return fmt.Errorf("profile: model %q has two", ref.Model)
		}
		seen[ref.Model] = true
	}
	for _, name := range r.Files {
		if err := checkPath(name); err != nil {
			return fmt.Errorf("files: %w", err)
		}
	}
	return nil
}

// checkRef looks at a file of a model.
func (r *Run) checkRef(model, file string) error {
	if !slices.Contains(r.Plan.Models, model) {
		return fmt.Errorf("model %q is not in the plan", model)
	}
	if err := checkPath(file); err != nil {
		return err
	}
	if file == runFile || file == tempFile {
		return fmt.Errorf("file name %q is taken", file)
	}
	return nil
}

func (p *Plan) checkValid() error {
	if len(p.Models) == 0 {
		return fmt.Errorf("no models")
	}
	seen := map[string]bool{}
	for _, name := range p.Models {
		if err := CheckModel(name); err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("model %q stands there twice", name)
		}
		seen[name] = true
	}
	return checkCounts([]count{
		{"requests", int64(p.Requests)},
		{"concurrency", int64(p.Concurrency)},
		{"latency_ns", p.LatencyNS},
		{"jitter_ns", p.JitterNS},
		{"page_bytes", p.PageBytes},
		{"warmup_trials", int64(p.WarmupTrials)},
		{"measured_runs", int64(p.MeasuredRuns)},
		{"held_trials", int64(p.HeldTrials)},
		{"traced_trials", int64(p.TracedTrials)},
		{"profile_trials", int64(p.ProfileTrials)},
		{"control_trials", int64(p.ControlTrials)},
		{"timeout_ns", p.TimeoutNS},
		{"trials", int64(p.Trials)},
	})
}

// CheckValid says what is wrong with the trial: readers may rely on what it checks.
func (t *Trial) CheckValid() error {
	if err := t.checkValid(); err != nil {
		return fmt.Errorf("trial %d: %w", t.Number, err)
	}
	return nil
}

func (t *Trial) checkValid() error {
	if t.Number < 1 {
		return fmt.Errorf("numbers begin at 1")
	}
	if err := CheckModel(t.Model); err != nil {
		return err
	}
	if !t.Kind.known() {
		return fmt.Errorf("unknown kind %q", t.Kind)
	}
	if err := t.checkLengths(); err != nil {
		return err
	}
	if err := t.Phases.checkValid(); err != nil {
		return err
	}
	for name, c := range t.Curves {
		if err := c.checkValid(); err != nil {
			return fmt.Errorf("curve %q: %w", name, err)
		}
	}
	for name, s := range t.Snapshots {
		if err := s.checkValid(); err != nil {
			return fmt.Errorf("snapshot %q: %w", name, err)
		}
	}
	return t.checkCounts()
}

// checkCounts looks at what cannot be less than nothing.
func (t *Trial) checkCounts() error {
	for _, l := range t.Lost {
		if l.Cause == "" || l.Count < 0 {
			return fmt.Errorf("lost: cause %q with a count of %d", l.Cause, l.Count)
		}
	}
	for cause, n := range t.Work.Failed {
		if n < 0 {
			return fmt.Errorf("failed: cause %q with a count of %d", cause, n)
		}
	}
	for _, p := range t.BPF {
		if p.Runs < 0 || p.RunNS < 0 {
			return fmt.Errorf("bpf: program %q with %d runs of %d ns", p.Program, p.Runs, p.RunNS)
		}
	}
	for _, f := range t.Found {
		if err := f.checkValid(); err != nil {
			return fmt.Errorf("found: %w", err)
		}
	}
	if err := t.checkTime(); err != nil {
		return err
	}
	return checkCounts([]count{
		{"concurrency", int64(t.Concurrency)},
		{"units", int64(t.Work.Units)},
		{"cpu setup_ns", t.CPU.SetupNS},
		{"cpu work_ns", t.CPU.WorkNS},
		{"threads made", t.Threads.Made},
		{"threads peak", t.Threads.Peak},
		{"awaiting peak", t.Sockets.Awaiting.Peak},
		{"awaiting replies", t.Sockets.Awaiting.Replies},
		{"awaiting sum_ns", t.Sockets.Awaiting.SumNS},
	})
}

// checkTime looks at where the threads' time and the memory went.
func (t *Trial) checkTime() error {
	for _, thread := range t.Threads.List {
		if err := thread.Time.checkValid(); err != nil {
			return fmt.Errorf("thread %d: %w", thread.TID, err)
		}
	}
	if s := t.Sched; s != nil {
		if err := s.Time.checkValid(); err != nil {
			return fmt.Errorf("sched: %w", err)
		}
		if len(s.RunQueue.Counts) > maxBuckets {
			return fmt.Errorf("run queue: %d buckets", len(s.RunQueue.Counts))
		}
		counts := []count{{"run queue sum_ns", s.RunQueue.SumNS}, {"made_up", s.MadeUp}}
		for i, n := range s.RunQueue.Counts {
			counts = append(counts, count{fmt.Sprintf("run queue bucket %d", i), n})
		}
		if err := checkCounts(counts); err != nil {
			return err
		}
	}
	if m := t.Memory; m != nil {
		return checkCounts([]count{
			{"peak_bytes", m.PeakBytes}, {"setup_peak_bytes", m.SetupPeakBytes}, {"bound_bytes", m.BoundBytes},
			{"foreign", m.Foreign},
		})
	}
	return nil
}

// maxBuckets is what a histogram of 64-bit durations has.
const maxBuckets = 64

func (t *ThreadTime) checkValid() error {
	if t == nil {
		return nil
	}
	counts := []count{
		{"running_ns", t.RunningNS}, {"runnable_ns", t.RunnableNS}, {"wakeups", t.Wakeups}, {"migrations", t.Migrations},
	}
	for cause, ns := range t.BlockedNS {
		if !slices.Contains(Causes(), cause) {
			return fmt.Errorf("blocked: unknown cause %q", cause)
		}
		counts = append(counts, count{"blocked, " + cause, ns})
	}
	return checkCounts(counts)
}

// checkValid accepts steps in their order; a step that was not reached is 0.
func (p *Phases) checkValid() error {
	var before count
	for _, step := range []count{
		{"start", p.StartNS}, {"ready", p.ReadyNS}, {"gate", p.GateNS},
		{"last", p.LastNS}, {"done", p.DoneNS}, {"exit", p.ExitNS},
	} {
		if step.n == 0 {
			continue
		}
		if step.n < before.n {
			return fmt.Errorf("phases: %s is before %s", step.name, before.name)
		}
		before = step
	}
	return nil
}

func (c *Curve) checkValid() error {
	if len(c.Greatest) != len(c.Least) || len(c.Last) != len(c.Least) {
		return fmt.Errorf("%d least, %d greatest and %d last values", len(c.Least), len(c.Greatest), len(c.Last))
	}
	if len(c.Least) > 0 && c.BucketNS <= 0 {
		return fmt.Errorf("bucket of %d ns", c.BucketNS)
	}
	return nil
}

func (s *Snapshot) checkValid() error {
	for way, parts := range s.Cost {
		if err := checkLengths([]length{{"parts by " + way, len(parts), maxListed}}); err != nil {
			return err
		}
		for _, p := range parts {
			if p.Bytes < 0 || p.Bound < 0 {
				return fmt.Errorf("cost by %s: %s of %d bytes, with a bound of %d", way, p.Name, p.Bytes, p.Bound)
			}
		}
	}
	return checkCounts([]count{
		{"rss_bytes", s.RSSBytes},
		{"pss_bytes", s.PSSBytes},
		{"uss_bytes", s.USSBytes},
		{"anonymous_bytes", s.AnonymousBytes},
		{"page_table_bytes", s.PageTableBytes},
		{"threads", s.Threads},
		{"fds", s.FDs},
		{"voluntary_switches", s.VoluntarySwitches},
		{"involuntary_switches", s.InvoluntarySwitches},
		{"waiting", s.Waiting},
	})
}

func (k Kind) known() bool {
	return slices.Contains([]Kind{Warmup, Measured, Held, Traced, Profiled, Control}, k)
}

// count is a named figure that cannot be negative.
type count struct {
	name string
	n    int64
}

func checkCounts(counts []count) error {
	for _, c := range counts {
		if c.n < 0 {
			return fmt.Errorf("%s is %d: must not be negative", c.name, c.n)
		}
	}
	return nil
}
