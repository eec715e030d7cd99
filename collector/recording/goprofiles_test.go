package recording

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// goTypes is the place of the first of the sampleTypes that Go tells of goroutines and their waits.
var goTypes = slices.IndexFunc(sampleTypes[:], func(t profile.ValueType) bool { return t.Type == "goroutine" })

// lookup is a profile of the test's own process.
func lookup(t *testing.T, name string) []byte {
	t.Helper()
	var data bytes.Buffer
	if err := pprof.Lookup(name).WriteTo(&data, 0); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

//go:noinline
func parkForTest(ready *sync.WaitGroup, until <-chan struct{}, done *sync.WaitGroup) {
	ready.Done()
	<-until
	done.Done()
}

//go:noinline
func unlockForTest(m *sync.Mutex) { m.Unlock() }

// waitForTest has 23 goroutines wait for a channel, and one for a lock, and returns what Go tells of that.
func waitForTest(t *testing.T) map[string][]byte {
	t.Helper()
	runtime.SetBlockProfileRate(1)
	defer runtime.SetBlockProfileRate(0)
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	before := map[string][]byte{BlockProfile: lookup(t, "block"), MutexProfile: lookup(t, "mutex")}
	var ready, done sync.WaitGroup
	until := make(chan struct{})
	for range 23 {
		ready.Add(1)
		done.Add(1)
		go parkForTest(&ready, until, &done)
	}
	ready.Wait()
	told := map[string][]byte{}
	for parked := false; !parked; runtime.Gosched() { // each has said so just before it parks
		told[GoroutineProfile] = lookup(t, "goroutine")
		p, err := profile.ParseData(told[GoroutineProfile])
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Sample {
			parked = parked || s.Value[0] == 23 && s.Location[len(s.Location)-1].Line[0].Function.Name == parker
		}
	}
	close(until)
	done.Wait()
	var m sync.Mutex
	m.Lock()
	held := false
	done.Go(func() { m.Lock(); held = true; m.Unlock() })
	for waits := false; !waits; time.Sleep(time.Millisecond) {
		waits = strings.Contains(string(stacks()), " [sync.Mutex.Lock") // parked: in the function it may not be yet
	}
	unlockForTest(&m)
	done.Wait()
	if !held {
		t.Error("the lock was not taken")
	}
	for name, data := range before {
		told[name] = since(t, data, lookup(t, name))
	}
	return told
}

// since is what a profile of the whole process has more than before, as go tool pprof -base has it.
func since(t *testing.T, before, now []byte) []byte {
	t.Helper()
	base, err1 := profile.ParseData(before)
	p, err2 := profile.ParseData(now)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	base.Scale(-1)
	p, err := profile.Merge([]*profile.Profile{p, base})
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if err := p.Write(&data); err != nil {
		t.Fatal(err)
	}
	return data.Bytes()
}

const parker = "github.com/weft-profiler/weft/collector/recording.parkForTest"

func stacks() []byte {
	text := make([]byte, 1<<20)
	return text[:runtime.Stack(text, true)]
}

// TestGoProfiles holds what Go tells of waits whose number is known.
func TestGoProfiles(t *testing.T) {
	b := NewProfileBuilder("weft", "m")
	for name, data := range waitForTest(t) {
		if err := b.AddGoProfile(7, name, data); err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, s := range p.Sample {
		for i, t := range sampleTypes {
			for _, l := range s.Location {
				for _, line := range l.Line {
					_, name, _ := strings.Cut(line.Function.Name, "recording.")
					if slices.Contains([]string{"parkForTest", "unlockForTest"}, name) {
						got[t.Type+" "+name] += s.Value[i]
					}
				}
			}
		}
		if root := s.Location[len(s.Location)-1].Line; s.Value[goTypes] > 0 && s.Label["goroutine"][0] != root[len(root)-1].Function.Name {
			t.Errorf("a goroutine that began with %s has the label %q", root[len(root)-1].Function.Name, s.Label["goroutine"])
		}
	}
	for what, want := range map[string]int64{
		"goroutine parkForTest": 23, "block_contentions parkForTest": 23, "mutex_contentions unlockForTest": 1,
		"goroutine unlockForTest": 0,
	} {
		if got[what] != want {
			t.Errorf("%s: %d, want %d", what, got[what], want)
		}
	}
	// Not the 23 of the block profile, though some of them may have met at a lock of the runtime's own.
	if n := got["mutex_contentions parkForTest"]; n >= 23 {
		t.Errorf("mutex_contentions parkForTest: %d, want 0, or a few", n)
	}
	if got["block_delay parkForTest"] <= 0 || got["mutex_delay unlockForTest"] < int64(time.Millisecond/2) {
		t.Errorf("delays %v", got)
	}
}

//go:noinline
func deepForTest(n int, do func()) {
	if n > 0 {
		deepForTest(n-1, do)
	} else {
		do()
	}
	runtime.KeepAlive(n)
}

// A stack of which Go keeps the leaf only is told as cut, and its goroutine is not known.
func TestDeepGoroutineIsCut(t *testing.T) {
	b := NewProfileBuilder("weft", "m")
	for depth, trial := range map[int]int{2 * goStackDepth: 1, goStackDepth / 2: 2} {
		deepForTest(depth, func() {
			if err := b.AddGoProfile(trial, GoroutineProfile, lookup(t, "goroutine")); err != nil {
				t.Fatal(err)
			}
		})
	}
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range p.Sample {
		deep := slices.ContainsFunc(s.Location, func(l *profile.Location) bool { return strings.HasSuffix(l.Line[0].Function.Name, "deepForTest") })
		if !deep {
			continue
		}
		found++
		cut := s.NumLabel["trial"][0] == 1
		if cut != (len(s.Label["cut"]) > 0) || cut == (len(s.Label["goroutine"]) > 0) {
			t.Errorf("trial %v: %d frames, labels %v", s.NumLabel["trial"], len(s.Location), s.Label)
		}
	}
	if found != 2 {
		t.Errorf("%d deep stacks, want 2", found)
	}
}

// goProfile is a profile as Go writes it, of one function that main calls.
func goProfile(name string, values ...int64) *profile.Profile {
	p := heapProfile(0x400000, 1, 1, 1, 1)
	p.SampleType = nil
	for _, g := range goProfiles {
		if g.name == name {
			for _, v := range g.values {
				p.SampleType = append(p.SampleType, &profile.ValueType{Type: v.theirs, Unit: v.unit})
			}
		}
	}
	p.Sample[0].Value = values
	return p
}

func TestHostileGoProfiles(t *testing.T) {
	good := encoded(t, goProfile(BlockProfile, 1, 2))
	for what, c := range map[string]struct {
		name string
		data []byte
	}{
		"nothing":             {BlockProfile, nil},
		"not gzip":            {GoroutineProfile, []byte("goroutine profile: total 3\n3 @ 0x1\n")},
		"cut off":             {MutexProfile, good[:len(good)/2]},
		"another profile":     {GoroutineProfile, good},
		"a heap for a block":  {BlockProfile, encoded(t, heapProfile(0x400000, 1, 1, 1, 1))},
		"a profile of no use": {"threadcreate", good},
	} {
		b := NewProfileBuilder("weft", "m")
		if err := b.AddGoProfile(3, c.name, c.data); err == nil || !strings.Contains(err.Error(), "trial 3") {
			t.Errorf("%s: error %v", what, err)
		}
		if p, err := b.Profile(); err != nil || len(p.Sample) != 0 {
			t.Errorf("%s: something was added, error %v", what, err)
		}
	}
	b := NewProfileBuilder("weft", "m")
	if err := errors.Join(b.AddGoProfile(1, BlockProfile, good), b.AddGoProfile(1, MutexProfile, good), b.AddGoProfile(2, BlockProfile, good)); err != nil {
		t.Fatal(err)
	}
	if err := b.AddGoProfile(1, BlockProfile, good); err == nil {
		t.Error("a second block profile of one trial: no error")
	}
	for _, values := range [][]int64{{-1, 1}, {1, math.MaxInt64}} {
		b := NewProfileBuilder("weft", "m")
		for trial := range 2 {
			if err := b.AddGoProfile(trial, BlockProfile, encoded(t, goProfile(BlockProfile, values...))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Profile(); err == nil {
			t.Errorf("values %v twice: no error", values)
		}
	}
}

// Labels that the program has set on its goroutines do not pass for weft's.
func TestGoLabelsAreLeftOut(t *testing.T) {
	g := goProfile(GoroutineProfile, 5)
	g.Sample[0].Label = map[string][]string{"thread": {"forged"}, "goroutine": {"forged"}, "cut": {"true"}, "wait": {"forged"}}
	g.Sample[0].NumLabel = map[string][]int64{"goid": {1}, "trial": {99}, "bytes": {99}}
	b := NewProfileBuilder("weft", "m")
	if err := b.AddGoProfile(1, GoroutineProfile, encoded(t, g)); err != nil {
		t.Fatal(err)
	}
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	s := sampleOf(t, p, "main.alloc", 1)
	if got, want := fmt.Sprint(s.Label, s.NumLabel), "map[goroutine:[main.main] model:[m]] map[trial:[1]]"; got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
}

func FuzzAddGoProfile(f *testing.F) {
	for _, g := range goProfiles {
		var raw bytes.Buffer
		if err := goProfile(g.name, make([]int64, len(g.values))...).WriteUncompressed(&raw); err != nil {
			f.Fatal(err)
		}
		f.Add(g.name, raw.Bytes())
	}
	f.Add(GoroutineProfile, []byte{2<<3 | 2, 0})
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		b := NewProfileBuilder("weft", "m")
		if b.AddGoProfile(1, name, gzipped(t, raw)) != nil {
			return
		}
		b.AddStacks(1, []Stack{socketStack("x/1")})
		p, err := b.Profile()
		if err != nil {
			return // values that cannot be added up
		}
		if _, err := profile.ParseData(encoded(t, p)); err != nil {
			t.Errorf("merged profile does not parse: %v", err)
		}
	})
}
