package symbols

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// goroutine is what testdata/goroutine prints of one.
type goroutine struct {
	TID            int
	ID, Parent     uint64
	Entry, Creator string
}

// The way that the kernel side takes leads to what the program itself says.
func TestGoRuntime(t *testing.T) {
	needAMD64(t)
	for _, toolchain := range append([]string{"local"}, strings.Fields(os.Getenv("WEFT_TEST_TOOLCHAINS"))...) {
		t.Setenv("GOTOOLCHAIN", toolchain)
		for _, v := range slices.Concat(variants, tlsVariants) {
			t.Run(toolchain+" "+v.name, func(t *testing.T) {
				checkRuntime(t, v.build(t, "goroutine"))
			})
		}
	}
}

// tlsVariants have memory of C's for each thread besides the runtime's.
var tlsVariants = []variant{
	{name: "tls", cgo: true, args: []string{"-tags=tls"}},
	{name: "tls pie", cgo: true, args: []string{"-tags=tls", "-buildmode=pie"}},
	{name: "tls stripped", cgo: true, args: []string{"-tags=tls", "-ldflags=-s -w"}},
	{name: "tls static stripped", cgo: true, args: []string{"-tags=tls", "-ldflags=-linkmode=external -extldflags=-static -s -w"}},
}

func needAMD64(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("goroutines are found on amd64 only, this is", runtime.GOARCH)
	}
}

func checkRuntime(t *testing.T, binary string) {
	t.Helper()
	program, all := run[[]goroutine](t, exec.Command(binary))
	p := open(t, program.PID)
	r, err := p.GoRuntime()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := fieldsByVersion(r.Version); err != nil || want != r.Fields {
		t.Errorf("%s has %+v by %s, the table %+v, %v", r.Version, r.Fields, r.Source, want, err)
	}
	checkTLS(t, binary, r.TLS)
	t.Logf("%s, by %s, g at %d", r.Version, r.Source, r.TLS)
	if len(all) != 4 {
		t.Fatalf("%d goroutines, want 4", len(all))
	}
	for _, want := range all {
		if got := lookAt(t, p, r, want.TID); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// checkTLS compares what the code says with what a symbol says, in binaries that have it.
func checkTLS(t *testing.T, binary string, byCode int64) {
	t.Helper()
	f, err := os.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	im, err := newImage(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	if bySymbol, ok := tlsBySymbol(im); ok && bySymbol != byCode {
		t.Errorf("g at %d by the code, at %d by its symbol", byCode, bySymbol)
	} else if ok {
		t.Log("the symbol says the same")
	}
}

// lookAt goes from a thread's registers to its goroutine.
func lookAt(t *testing.T, p *Process, r Runtime, tid int) goroutine {
	t.Helper()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	word := func(address uint64) uint64 {
		var b [8]byte
		if _, err := memory.ReadAt(b[:], int64(address)); err != nil {
			t.Fatalf("read %#x: %v", address, err)
		}
		return binary.LittleEndian.Uint64(b[:])
	}
	m := word(word(threadPointer(t, tid)+uint64(r.TLS)) + uint64(r.M))
	g := word(m + uint64(r.CurG))
	got := goroutine{
		TID: tid, ID: word(g + uint64(r.GoID)),
		Entry: p.Function(word(g + uint64(r.StartPC))), Creator: p.Creator(word(g + uint64(r.GoPC))),
	}
	if r.Parent != 0 {
		got.Parent = word(g + uint64(r.Parent))
	} else if !strings.HasPrefix(r.Version, "go1.20") {
		t.Errorf("%s: no parent", r.Version)
	}
	return got
}

// threadPointer stops a thread for as long as it takes to read it.
func threadPointer(t *testing.T, tid int) uint64 {
	t.Helper()
	runtime.LockOSThread() // the tracer is a thread
	defer runtime.UnlockOSThread()
	if err := unix.PtraceAttach(tid); err != nil {
		t.Fatal("attach:", err)
	}
	defer unix.PtraceDetach(tid)
	var status unix.WaitStatus
	for { // another signal may come first; without its own SIGSTOP the thread would be stopped after the tracer is gone
		if _, err := unix.Wait4(tid, &status, unix.WALL, nil); err != nil {
			t.Fatal("wait:", err)
		}
		if status.StopSignal() == unix.SIGSTOP {
			break
		}
		if err := unix.PtraceCont(tid, int(status.StopSignal())); err != nil {
			t.Fatal("continue:", err)
		}
	}
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		t.Fatal("registers:", err)
	}
	return regs.Fs_base
}

func TestGoRuntimeOfOthers(t *testing.T) {
	if _, err := open(t, startCat(t).PID).GoRuntime(); err != ErrNotGo {
		t.Errorf("cat: %v, want %v", err, ErrNotGo)
	}
}
