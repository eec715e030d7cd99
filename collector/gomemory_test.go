package collector

import (
	"os"
	"runtime/metrics"
	"testing"

	"github.com/prometheus/procfs"

	"github.com/weft-profiler/weft/collector/recording"
)

func TestGoMemory(t *testing.T) {
	said := recording.GoMemory{HeapLive: 1000, HeapDead: 300, Stacks: 200, Runtime: 400}
	for _, test := range []struct {
		name             string
		rss, anonymous   int64
		fileBacked, rest int64
	}{
		{"more than the runtime knows", 5000, 2000, 3000, 100},
		{"less than the runtime counts", 4000, 1500, 2500, -400},
		{"no file", 1900, 1900, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			said.RSSBytes, said.FileBacked, said.Rest = 1, 2, 3 // a child does not know these
			got := GoMemory(said, recording.Snapshot{RSSBytes: test.rss, AnonymousBytes: test.anonymous})
			want := recording.GoMemory{
				RSSBytes: test.rss, HeapLive: 1000, HeapDead: 300, Stacks: 200, Runtime: 400,
				FileBacked: test.fileBacked, Rest: test.rest,
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// Of this very process the runtime knows most of what the kernel calls anonymous.
func TestGoMemoryOfOneself(t *testing.T) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		t.Fatal(err)
	}
	touched := make([]byte, 64<<20)
	for i := range touched {
		touched[i] = byte(i)
	}
	said := ownMemory()
	s, err := readSnapshot(fs, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	got := GoMemory(said, s)
	if sum := got.HeapLive + got.HeapDead + got.Stacks + got.Runtime + got.FileBacked + got.Rest; sum != s.RSSBytes {
		t.Errorf("parts sum to %d of %d", sum, s.RSSBytes)
	}
	if got.HeapLive < int64(len(touched)) || got.FileBacked <= 0 || max(got.Rest, -got.Rest) > s.RSSBytes/5 {
		t.Errorf("%+v", got)
	}
	t.Logf("%+v, %d touched", got, touched[len(touched)-1])
}

// ownMemory is what a Go child says of itself.
func ownMemory() recording.GoMemory {
	samples := map[string]int64{}
	for _, name := range []string{
		"heap/objects", "heap/unused", "heap/free", "heap/stacks", "os-stacks", "metadata/mcache/free",
		"metadata/mcache/inuse", "metadata/mspan/free", "metadata/mspan/inuse", "metadata/other", "profiling/buckets", "other",
	} {
		sample := []metrics.Sample{{Name: "/memory/classes/" + name + ":bytes"}}
		metrics.Read(sample)
		samples[name] = int64(sample[0].Value.Uint64())
	}
	said := recording.GoMemory{
		HeapLive: samples["heap/objects"],
		HeapDead: samples["heap/unused"] + samples["heap/free"],
		Stacks:   samples["heap/stacks"] + samples["os-stacks"],
	}
	for name, bytes := range samples {
		switch name {
		case "heap/objects", "heap/unused", "heap/free", "heap/stacks", "os-stacks":
		default:
			said.Runtime += bytes
		}
	}
	return said
}
