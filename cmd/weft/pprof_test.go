package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
)

// checkProfiles opens every sample type of a real recording's profiles by the reader that everybody uses: it finds the
// function that is known to be there, all of the value, and the labels.
func checkProfiles(t *testing.T, rec *recording.Recording) {
	t.Helper()
	pages := "workload.(*fetch)"
	functions := map[string]map[string]string{
		"go-threads": {
			"alloc_objects": pages, "alloc_space": pages, "inuse_space": pages, "inuse_objects": pages,
			"threadcreate": "runtime.newm", "socket_sent": "http1", "socket_received": "http1", "socket_calls": "http1",
			"goroutine": pages, "block_contentions": "sync.(*WaitGroup).Wait", "block_delay": "sync.(*WaitGroup).Wait",
		},
		"go-nethttp": {
			"goroutine": "net/http.(*persistConn).readLoop", "block_contentions": "runtime.selectgo", "block_delay": "runtime.selectgo",
		},
	}
	if builtWithCgo() {
		functions["go-threads"]["threadcreate"] = "clone3" // libc makes the threads then, and cuts their stacks
	}
	looks := map[string]func(*testing.T){}
	for model, known := range functions {
		p, err := rec.Profile(model)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(rec.Dir, model+".pb.gz")
		for i, sample := range p.SampleType {
			function, ok := known[sample.Type]
			if !ok && model != "go-threads" {
				continue // one model is enough for a type of which no more than its being there is known
			}
			looks[model+", "+sample.Type] = func(t *testing.T) {
				top := pprofSays(t, path, "-top", "-nodefraction=0", "-nodecount=100000", "-sample_index="+sample.Type)
				contains(t, "it", top, "Type: "+sample.Type+"\n", function)
				checkAllShown(t, "it", top, total(p, i))
				checkLabels(t, "it", pprofSays(t, path, "-tags", "-sample_index="+sample.Type), p, i)
			}
		}
	}
	sideBySide(t, looks)
}

// sideBySide runs tests as many at once as there are CPUs.
func sideBySide(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	t.Run("pprof", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	})
}

// checkStacks holds what the stacks come to against what the kernel counted beside them.
func checkStacks(t *testing.T, rec *recording.Recording) {
	t.Helper()
	compared := map[string]bool{}
	for _, total := range reports.NewView(rec).Totals() {
		compared[total.Kind] = true
		if !total.Equal() {
			t.Errorf("%s of %s in trials %v: %d in stacks, %d counted", total.Kind, total.Model, total.Trials, total.Stacks, total.Counter)
		}
	}
	for _, kind := range []string{recording.KindOffCPU, recording.KindThreadCreate, recording.KindSocket, recording.KindReplyWait, recording.KindRSS} {
		if !compared[kind] {
			t.Errorf("no stack of %s was compared with a counter", kind)
		}
	}
}

// checkFound holds what trials say of how their frames were found against the profile: each frame is there once, with its
// stack's value, but for those that weft made up.
func checkFound(t *testing.T, rec *recording.Recording) {
	t.Helper()
	made := []string{"[unknown]", "[new thread]", recording.KernelBinary}
	for _, model := range []string{"go-threads", "go-goroutines"} {
		p, err := rec.Profile(model)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range reports.Kinds() {
			widths := foundIn(rec, model, kind.Name)
			var told, drawn int64
			for _, width := range widths {
				told += width
			}
			if kernels := []string{recording.KindCPU, recording.KindOffCPU, recording.KindThreadCreate, recording.KindSocket,
				recording.KindReplyWait, recording.KindRSS}; slices.Contains(kernels, kind.Name) {
				drawn = widthOf(p, kind, made)
			}
			if drawn != told {
				t.Errorf("%s of %s: the frames in the profile are %d wide, those that trials tell of %d", kind.Name, model, drawn, told)
			}
			if kind.Name == recording.KindSocket && (widths[recording.FoundFirst] == 0 || widths[recording.FoundFramePointer] == 0) {
				t.Errorf("%s of %s was found by %v", kind.Name, model, widths)
			}
		}
	}
}

// foundIn sums a model's trials.
func foundIn(rec *recording.Recording, model, kind string) map[string]int64 {
	sums := map[string]int64{}
	for _, trial := range rec.Trials {
		for _, found := range trial.Found {
			for way, width := range found.Widths {
				if trial.Model == model && found.Kind == kind {
					sums[way] += width
				}
			}
		}
	}
	return sums
}

// widthOf sums the widths of the frames of a kind, some left out.
func widthOf(p *profile.Profile, kind reports.Kind, without []string) (sum int64) {
	for i, sampleType := range p.SampleType {
		if !slices.Contains(kind.Samples, sampleType.Type) {
			continue
		}
		for _, s := range p.Sample {
			for _, location := range s.Location {
				for _, line := range location.Line {
					if !slices.Contains(without, line.Function.Name) {
						sum += s.Value[i]
					}
				}
			}
		}
	}
	return sum
}

// pprofTool is the program that `go tool pprof` runs. By way of the go command each look takes 0.3 s more.
var pprofTool = sync.OnceValues(func() (string, error) {
	exec.Command("go", "tool", "pprof", "-h").Run() // builds it, and exits as after any error
	path, err := exec.Command("go", "tool", "-n", "pprof").Output()
	return strings.TrimSpace(string(path)), err
})

func pprofSays(t *testing.T, path string, args ...string) string {
	t.Helper()
	tool, err := pprofTool()
	if err != nil {
		t.Fatal("go tool pprof:", err)
	}
	args = append([]string{"-symbolize=none"}, append(args, path)...)
	out, err := exec.Command(tool, args...).CombinedOutput()
	if err != nil {
		t.Errorf("pprof %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func total(p *profile.Profile, column int) (sum int64) {
	for _, s := range p.Sample {
		sum += s.Value[column]
	}
	return sum
}

// checkAllShown: what pprof shows is what the profile has, nothing dropped. A type may have nothing to tell in so
// short a run, of waits for locks say.
func checkAllShown(t *testing.T, name, top string, sum int64) {
	t.Helper()
	_, shown, found := strings.Cut(top, "Showing nodes accounting for ")
	shown, _, _ = strings.Cut(shown, "\n")
	part, rest, _ := strings.Cut(shown, ", ")
	if !found || sum > 0 && rest != "100% of "+part+" total" || sum == 0 && part != "0" {
		t.Errorf("%s: the sum is %d, pprof shows %q of it", name, sum, shown)
	}
}

// checkLabels wants each label of the samples that have a value, each text of it, and no text without.
func checkLabels(t *testing.T, name, tags string, p *profile.Profile, column int) {
	t.Helper()
	texts := map[string][]string{}
	for _, s := range p.Sample {
		if s.Value[column] == 0 {
			continue
		}
		for key, values := range s.Label {
			texts[key] = append(texts[key], values...)
		}
		for key := range s.NumLabel {
			texts[key] = append(texts[key], "")
		}
	}
	for _, key := range []string{"model", "trial"} {
		if texts[key] == nil && total(p, column) > 0 {
			t.Errorf("%s: no label %s", name, key)
		}
	}
	for key, values := range texts {
		_, section, found := strings.Cut("\n"+tags, fmt.Sprintf("\n %s: Total ", key))
		section, _, _ = strings.Cut(section, "\n\n")
		if !found {
			t.Errorf("%s: pprof -tags has no label %s:\n%s", name, key, tags)
		}
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			if !strings.Contains(section, value+"\n") && !strings.HasSuffix(section, value) {
				t.Errorf("%s: pprof -tags has no %s=%s:\n%s", name, key, value, section)
			}
		}
	}
}

// checkKinds draws every kind. In so short a run nobody may have waited for a lock.
func checkKinds(t *testing.T, rec *recording.Recording) {
	t.Helper()
	for _, kind := range reports.Kinds() {
		code, out, log := weft(t, "report", rec.Dir, "--format", "svg", "--kind", kind.Name, "--model", "go-threads")
		if kind.Name == recording.KindMutex && strings.Contains(log, "has nothing of kind mutex") {
			continue
		}
		if code != exitOK || !strings.HasPrefix(out, "<svg ") {
			t.Errorf("svg of %s: exit %d, %s\n%.300s", kind.Name, code, log, out)
		}
	}
}

// checkPythonProfiles looks for the function that waits for the answer in each model: what it has made is in use. In the
// trials that say so, nothing else is taken.
func checkPythonProfiles(t *testing.T, rec *recording.Recording) {
	t.Helper()
	holders := map[string]string{
		"py-sequential": "weft_requests.Client.get", "py-threads": "weft_requests.Client.get",
		"py-gevent": "weft_requests.Client.get", "py-asyncio": "aiohttp.client.ClientSession._request",
	}
	looks := map[string]func(*testing.T){}
	for model, function := range holders {
		if !slices.Contains(rec.Run.Plan.Models, model) {
			continue // it was skipped
		}
		path := filepath.Join(rec.Dir, model+".pb.gz")
		for _, sample := range []string{"inuse_space", "inuse_objects"} {
			looks[model+", "+sample] = func(t *testing.T) {
				out := pprofSays(t, path, "-top", "-nodecount=1000", "-nodefraction=0", "-sample_index="+sample)
				contains(t, "it", out, function, "weft_child.main")
			}
		}
		p, err := rec.Profile(model)
		if err != nil {
			t.Fatal(err)
		}
		checkTraced(t, rec, model, p)
		code, out, log := weft(t, "report", rec.Dir, "--format", "svg", "--kind", "heap", "--model", model)
		if code != exitOK || !strings.HasPrefix(out, "<svg ") || !strings.Contains(out, "weft_child.main") {
			t.Errorf("heap of %s: exit %d, %s\n%.300s", model, code, log, out)
		}
		code, _, log = weft(t, "report", rec.Dir, "--format", "svg", "--kind", "goroutine", "--model", model)
		if code != exitFailed || !strings.Contains(log, "the profile of "+model+" has nothing of kind goroutine") {
			t.Errorf("goroutine of %s: exit %d, %s", model, code, log)
		}
	}
	sideBySide(t, looks)
}

// checkTraced: what is in use is of the traced trial alone, and of all else nothing is.
func checkTraced(t *testing.T, rec *recording.Recording, model string, p *profile.Profile) {
	t.Helper()
	traced := map[int64]bool{}
	for _, trial := range rec.Trials {
		if trial.Model == model && trial.Kind == recording.Traced {
			traced[int64(trial.Number)] = trial.Heap != nil && trial.Heap.RateBytes == 1
		}
		if trial.Model == model && trial.Kind == recording.Profiled && trial.Heap != nil {
			t.Errorf("trial %d of %s tells of its heap: %+v", trial.Number, model, trial.Heap)
		}
	}
	inUse := slices.IndexFunc(p.SampleType, func(of *profile.ValueType) bool { return of.Type == "inuse_objects" })
	for _, s := range p.Sample {
		number := s.NumLabel["trial"][0]
		if (s.Value[inUse] > 0) != traced[number] {
			t.Fatalf("%s, trial %d: %v in use by %s, traced trials are %v", model, number, s.Value, s.Location[0].Line[0].Function.Name, traced)
		}
	}
	if len(traced) != 1 || !slices.Contains(p.Comments, "heap_trials=1") {
		t.Errorf("%s: traced trials %v, the profile says %q", model, traced, p.Comments)
	}
}
