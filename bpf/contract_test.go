package bpf

import (
	"reflect"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// The Go types must be the C structs: same fields, same places. Needs no root.
func TestContract(t *testing.T) {
	task, err := loadTask()
	if err != nil {
		t.Fatal(err)
	}
	sock, err := loadSock()
	if err != nil {
		t.Fatal(err)
	}
	memory, err := loadMemory()
	if err != nil {
		t.Fatal(err)
	}
	sched, err := loadSched()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		spec  *ebpf.CollectionSpec
		name  string
		value any
	}{
		{task, "target", taskTarget{}},
		{task, "session", taskSession{}},
		{task, "gauge", taskGauge{}},
		{task, "curve", taskCurve{}},
		{task, "thread", Thread{}},
		{task, "thread_event", taskThreadEvent{}},
		{task, "stack", taskStack{}},
		{task, "weight_key", WeightKey{}},
		{task, "weight", Weight{}},
		{task, "go_runtime", GoRuntime{}},
		{task, "goroutine_key", GoroutineKey{}},
		{task, "goroutine", Goroutine{}},
		{task, "noted", taskNoted{}},
		{sched, "spent", Spent{}},
		{sched, "thread_time", ThreadTime{}},
		{sched, "time_event", schedTimeEvent{}},
		{sched, "histogram", Histogram{}},
		{sched, "waker", schedWaker{}},
		{sock, "connection", Connection{}},
		{sock, "connection_event", sockConnectionEvent{}},
		{sock, "totals", Totals{}},
		{memory, "memory", memoryMemory{}},
		{memory, "memory_sums", memoryMemorySums{}},
		{memory, "gauge", memoryGauge{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c *btf.Struct
			if err := test.spec.Types.TypeByName(test.name, &c); err != nil {
				t.Fatal(err)
			}
			compareStruct(t, test.name, c, reflect.TypeOf(test.value))
		})
	}
}

// compareStruct compares members in order, and that they leave no holes in which kernel memory could cross.
func compareStruct(t *testing.T, path string, c *btf.Struct, g reflect.Type) {
	t.Helper()
	if uintptr(c.Size) != g.Size() {
		t.Errorf("%s: %d bytes in C, %d in Go", path, c.Size, g.Size())
	}
	fields := reflect.VisibleFields(g)[1:] // after structs.HostLayout
	if len(fields) != len(c.Members) {
		t.Fatalf("%s: %d fields in C, %d in Go", path, len(c.Members), len(fields))
	}
	end := uint32(0)
	for i, member := range c.Members {
		field, name := fields[i], path+"."+member.Name
		size, err := btf.Sizeof(member.Type)
		if err != nil {
			t.Fatal(err)
		}
		if uintptr(member.Offset.Bytes()) != field.Offset || uintptr(size) != field.Type.Size() {
			t.Errorf("%s: offset %d size %d in C, %d and %d in Go",
				name, member.Offset.Bytes(), size, field.Offset, field.Type.Size())
		}
		if member.Offset.Bytes() != end {
			t.Errorf("%s: hole of %d bytes before it", name, member.Offset.Bytes()-end)
		}
		end = member.Offset.Bytes() + uint32(size)
		if inner, ok := btf.UnderlyingType(member.Type).(*btf.Struct); ok {
			compareStruct(t, name, inner, field.Type)
		}
	}
	if end != c.Size {
		t.Errorf("%s: hole of %d bytes at its end", path, c.Size-end)
	}
}

// Every object declares the shared maps; one declaration must not drift from another.
func TestObjectsShareTheirMaps(t *testing.T) {
	specs := map[string]*ebpf.CollectionSpec{}
	for _, o := range objects {
		spec, err := o.load()
		if err != nil {
			t.Fatal(err)
		}
		specs[o.name] = spec
	}
	for _, name := range sharedMaps {
		a := specs[ObjectTask].Maps[name]
		for object, spec := range specs {
			b := spec.Maps[name]
			if a == nil || b == nil {
				t.Errorf("%s: not in task or not in %s", name, object)
				continue
			}
			if a.Type != b.Type || a.KeySize != b.KeySize || a.ValueSize != b.ValueSize || a.MaxEntries != b.MaxEntries {
				t.Errorf("%s: %v in task and %v in %s", name, a, b, object)
			}
		}
	}
}

func TestEveryLossHasACause(t *testing.T) {
	seen := map[string]bool{}
	for i, l := range lossCauses {
		if int(l.id) != i || l.cause == "" || l.detail == "" || seen[l.cause] {
			t.Errorf("entry %d: %+v", i, l)
		}
		seen[l.cause] = true
	}
	if len(lossCauses) != int(taskLossLOSS_MAX) {
		t.Errorf("%d causes, enum loss has %d", len(lossCauses), taskLossLOSS_MAX)
	}
}
