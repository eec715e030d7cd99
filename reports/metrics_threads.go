package reports

import "github.com/weft-profiler/weft/collector/recording"

func threadMetrics() []Metric {
	return []Metric{
		{Name: "threads-peak", Column: "THREADS", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Greatest number of threads alive at once from the gate on, helper threads of the runtime included, from task_newtask and sched_process_exit; kept in the kernel, so that no sampler misses it.",
			Value:      positive(func(t *recording.Trial) int64 { return t.Threads.Peak })},
		{Name: "threads-made", Column: "THREADS MADE", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Threads made up to done, the main one included, from task_newtask.",
			Value:      positive(func(t *recording.Trial) int64 { return t.Threads.Made })},
		{Name: "in-flight-peak", Column: "IN FLIGHT", Unit: unitCount, Better: neither, Kind: recording.Measured,
			Definition: "Greatest number of requests in flight at once. Where there is an origin it is the origin's own count, body included; else the peak of awaiting reply. Read it against the concurrency that was asked for: a model that did not reach it did other work.",
			Value:      inFlight},
		{Name: "switches/unit", Column: "SW/REQ", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Voluntary and involuntary context switches of all threads from the gate to done over the finished units, from the kernel's own count of each thread, read when the thread exits or at done.",
			Value:      perUnit(switches(func(v, inv int64) int64 { return v + inv }))},
		{Name: "voluntary-switches/unit", Column: "VOL SW/REQ", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Those of switches/unit in which the thread went to sleep, or was about to: the kernel also calls a switch voluntary of which a signal or a wake-up kept the thread awake.",
			Value:      perUnit(switches(func(v, _ int64) int64 { return v }))},
		{Name: "involuntary-switches/unit", Column: "INVOL SW/REQ", Unit: unitCount, Better: lower, Events: true, Kind: recording.Measured,
			Definition: "Those of switches/unit in which the thread had more to do: its time slice was over, or another was more urgent.",
			Value:      perUnit(switches(func(_, inv int64) int64 { return inv }))},
	}
}

// schedMetrics are times of threads, not of tasks.
func schedMetrics() []Metric {
	list := []Metric{
		{Name: "running-ns/unit", Column: "RUNNING/REQ", Unit: unitNS,
			Definition: "Time that threads were on a CPU from the gate to done over the finished units, from sched_switch. Time that a hypervisor took meanwhile is in it.",
			Value:      perUnit(threadTime(func(t *recording.ThreadTime) int64 { return t.RunningNS }))},
		{Name: "runnable-ns/unit", Column: "RUNNABLE/REQ", Unit: unitNS,
			Definition: "Time that threads were ready and waited for a CPU, over the finished units, from sched_wakeup and sched_switch: too many threads, or a busy machine.",
			Value:      perUnit(threadTime(func(t *recording.ThreadTime) int64 { return t.RunnableNS }))},
		{Name: "blocked-ns/unit", Column: "BLOCKED/REQ", Unit: unitNS,
			Definition: "Time that threads were asleep, whatever the cause, over the finished units. Per thread, not per task: a hundred threads that wait for a second have a hundred seconds where an event loop has one, and idle helper threads are in it. awaiting-mean-ns is what compares between models. WAIT in tables is the cause with the most of it; of a model that has no thread for each task, threads that are parked on a futex or sleep have nothing to do and do not count for WAIT, unless there is nothing else.",
			Value:      perUnit(threadTime(blockedNS))},
		{Name: "run-queue-mean-ns", Column: "RUN QUEUE", Unit: unitNS,
			Definition: "Mean of the threads' waits for a CPU, each from becoming ready to running.",
			Value:      runQueueMean},
		{Name: "run-queue-p99-ns", Column: "RUN QUEUE P99", Unit: unitNS,
			Definition: "Upper bound of the time within which 99 of 100 waits for a CPU were over. It is the upper end of the histogram's bucket, a power of two: the percentile itself may be half of it.",
			Value:      runQueueP99},
		{Name: "wakeups/unit", Column: "WAKE/REQ", Unit: unitCount,
			Definition: "Times that a thread was woken over the finished units, from sched_wakeup.",
			Value:      perUnit(threadTime(func(t *recording.ThreadTime) int64 { return t.Wakeups }))},
		{Name: "migrations/unit", Column: "MIGR/REQ", Unit: unitCount,
			Definition: "Times that a thread went on on another CPU than it had been on, over the finished units, from sched_switch.",
			Value:      perUnit(threadTime(func(t *recording.ThreadTime) int64 { return t.Migrations }))},
	}
	for i := range list {
		list[i].Better, list[i].Kind = lower, recording.Measured
		list[i].Events, list[i].Source = true, sourceSched
	}
	return list
}
