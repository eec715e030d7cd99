package cost

import (
	"fmt"
	"math"
	"net"
	"testing"
	"time"

	"github.com/weft-profiler/weft/collector/recording"
)

// held is the tasks of the tests at which both ways have to agree.
const held = 1000

// What the kernel charged to a cgroup, and what /proc counts times the sizes of objects, are two ways to one figure.
// 5 % is what a report may rely on; on Linux 6.18 they are 1 % apart.
func TestBothWaysAgree(t *testing.T) {
	for _, program := range []string{"threads", "sockets"} {
		t.Run(program, func(t *testing.T) {
			counted, multiplied := perTask(t, program)
			t.Logf("kernel bytes a task: %.0f by the cgroup, %.0f by /proc, %.1f %% apart",
				counted, multiplied, 100*math.Abs(counted-multiplied)/counted)
			if math.Abs(counted-multiplied) > 0.05*counted {
				t.Errorf("%.0f by the cgroup and %.0f by /proc are more than 5 %% apart", counted, multiplied)
			}
		})
	}
}

// perTask is the growth of kernel memory from a program's gate to the moment when its tasks wait.
func perTask(t *testing.T, program string) (counted, multiplied float64) {
	t.Helper()
	needGroups(t)
	meter, err := NewMeter()
	if err != nil {
		t.Fatal(err)
	}
	address := listen(t, func(net.Conn) {})
	group := newGroup(t)
	child := start(t, program, fmt.Sprint(held), address)
	if err := group.Add(child.PID); err != nil {
		t.Fatal(err)
	}
	child.Expect("gate")
	gate := child.snapshot(meter, group)
	child.Say("go")
	child.Expect("held")
	after := child.snapshot(meter, group)
	for _, parts := range after.Cost {
		for _, p := range parts {
			t.Logf("%-14s %9d  %s", p.Name, p.Bytes, p.Source)
		}
	}
	growth := func(way string) float64 {
		before, _ := gate.KernelBytes(way)
		now, _ := after.KernelBytes(way)
		return float64(now-before) / held
	}
	return growth(recording.ByCgroup), growth(recording.ByProc)
}

// newGroup makes a cgroup. Cleaning up, it is removed after the processes in it.
func newGroup(t *testing.T) *Cgroup {
	t.Helper()
	group, err := NewCgroup()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := group.Remove(); err != nil {
			t.Error(err)
		}
	})
	return group
}

// 23 sockets, each with 64 KiB in its queue that nobody reads: they are in no figure of the process.
func TestSocketBuffers(t *testing.T) {
	needGroups(t)
	meter, err := NewMeter()
	if err != nil {
		t.Fatal(err)
	}
	const count, bytes = 23, 64 << 10
	written := make(chan error, count)
	address := listen(t, func(conn net.Conn) {
		_, err := conn.Write(make([]byte, bytes))
		written <- err
	})
	group := newGroup(t)
	child := start(t, "sockets", fmt.Sprint(count), address)
	if err := group.Add(child.PID); err != nil {
		t.Fatal(err)
	}
	child.Expect("gate")
	child.Say("go")
	child.Expect("held")
	for range count {
		if err := <-written; err != nil {
			t.Fatal(err)
		}
	}
	// Written is not received: the kernel of the sender has the bytes first.
	var counted, multiplied int64
	for range 100 {
		snapshot := child.snapshot(meter, group)
		_, counted = snapshot.KernelBytes(recording.ByCgroup)
		_, multiplied = snapshot.KernelBytes(recording.ByProc)
		if multiplied >= count*bytes && counted >= multiplied {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%d bytes in queues: %d by the cgroup, %d by sock_diag", count*bytes, counted, multiplied)
	if multiplied < count*bytes || multiplied > 2*count*bytes {
		t.Errorf("%d bytes by sock_diag, %d were sent", multiplied, count*bytes)
	}
	if counted < multiplied || counted > 2*multiplied {
		t.Errorf("%d bytes by the cgroup, which counts whole pages; %d by sock_diag", counted, multiplied)
	}
}
