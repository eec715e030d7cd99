package recording

// normalize turns nil slices and maps into empty ones: a list that JavaScript reads is never null.
func (r *Run) normalize() {
	r.Command = notNil(r.Command)
	r.Host.Environment = notNil(r.Host.Environment)
	r.Plan.Models = notNil(r.Plan.Models)
	r.Plan.Details = notNil(r.Plan.Details)
	r.Trials = notNil(r.Trials)
	r.Profiles = notNil(r.Profiles)
	r.Skipped = notNil(r.Skipped)
	r.Files = notNil(r.Files)
}

// normalize turns nil slices and maps into empty ones. A nil pointer stays: it says that there is no evidence.
func (t *Trial) normalize() {
	t.Work.Failed = notNilMap(t.Work.Failed)
	t.Work.Errors = notNil(t.Work.Errors)
	t.Threads.List = notNil(t.Threads.List)
	t.Sockets.Transports = notNilMap(t.Sockets.Transports)
	t.Sockets.Connections = notNil(t.Sockets.Connections)
	t.Curves = notNilMap(t.Curves)
	for name, c := range t.Curves {
		t.Curves[name] = Curve{c.BucketNS, notNil(c.Least), notNil(c.Greatest), notNil(c.Last)}
	}
	t.Snapshots = notNilMap(t.Snapshots)
	for point, s := range t.Snapshots {
		s.Cost = notNilMap(s.Cost)
		t.Snapshots[point] = s
	}
	t.GoMemory = notNilMap(t.GoMemory)
	if t.Sched != nil {
		t.Sched.RunQueue.Counts = notNil(t.Sched.RunQueue.Counts)
		t.Sched.Wakers = notNil(t.Sched.Wakers)
		t.Sched.Time.BlockedNS = notNilMap(t.Sched.Time.BlockedNS)
	}
	if t.Origin != nil {
		t.Origin.Connections = notNil(t.Origin.Connections)
	}
	t.Found = notNil(t.Found)
	for i := range t.Found {
		t.Found[i].Widths = notNilMap(t.Found[i].Widths)
	}
	t.Lost = notNil(t.Lost)
	t.Missing = notNil(t.Missing)
	t.BPF = notNil(t.BPF)
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func notNilMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}
