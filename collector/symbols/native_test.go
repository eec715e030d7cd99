package symbols

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weft-profiler/weft/bpf/exectest"
)

// startCat starts a program that waits for the end of its input.
func startCat(t testing.TB) *exectest.Program {
	t.Helper()
	program := exectest.Start(t, exec.Command("cat"))
	program.Say("x")
	program.Expect("x") // the exec and the mappings are done
	return program
}

// tool is the path of a program that a test cannot do without.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s: %v", name, err)
	}
	return path
}

func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(tool(t, name), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}

// hereProgram prints the address of a static function and waits for the end of its input.
const hereProgram = `#include <stdio.h>
static int here(void) { return getchar(); }
int main(void) { printf("%lu\n", (unsigned long)here + 4); fflush(stdout); return here() > 0; }
`

// compile builds a C program in a new directory.
func compile(t testing.TB, compiler, source string, flags ...string) (binary string) {
	t.Helper()
	dir := t.TempDir()
	binary = filepath.Join(dir, "program")
	path := filepath.Join(dir, "source.c")
	if compiler == "g++" {
		path += "pp"
	}
	if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, compiler, append(flags, "-O0", "-o", binary, path)...)
	return binary
}

// here is a program that printed an address.
type here struct {
	*exectest.Program
	address uint64
}

// start starts one.
func start(t testing.TB, cmd *exec.Cmd) here {
	t.Helper()
	program, address := run[uint64](t, cmd)
	return here{program, address}
}

// split strips a binary and puts what it had into a debug file.
func split(t testing.TB, binary, debug string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(debug), 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "objcopy", "--only-keep-debug", binary, debug)
	command(t, "strip", binary)
}

func buildIDOf(t testing.TB, binary string) string {
	t.Helper()
	f, err := os.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := newImage(f, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	id := im.buildID()
	if len(id) != 40 {
		t.Skipf("this compiler gives the build id %q, not SHA-1", id)
	}
	return id
}

// wantFunction requires that a stack of one address is one frame with a name.
func wantFunction(t testing.TB, p *Process, address uint64, want string) {
	t.Helper()
	frames, _ := p.Stack([]uint64{address})
	if len(frames) != 1 || frames[0].Function != want {
		t.Errorf("frames %+v, want one, %s; problems %v", frames, want, p.Problems())
	}
}

func TestDebugFile(t *testing.T) {
	binary := compile(t, "gcc", hereProgram, "-Wl,--build-id")
	id := buildIDOf(t, binary)
	dirs := []string{t.TempDir(), t.TempDir()}
	split(t, binary, filepath.Join(dirs[1], ".build-id", id[:2], id[2:]+".debug"))
	h := start(t, exec.Command(binary))
	wantFunction(t, open(t, h.PID, dirs...), h.address, "here")
	p := open(t, h.PID, dirs[0]) // not there
	frames, _ := p.Stack([]uint64{h.address})
	if len(frames) != 1 || !strings.HasPrefix(frames[0].Function, "program+0x") || len(p.Problems()) != 0 {
		t.Errorf("without the file: %+v, %v", frames, p.Problems())
	}
}

// TestDebugLink: a name beside the binary leads to the file too, if it is of the same build.
func TestDebugLink(t *testing.T) {
	for _, where := range []string{".debug/program.debug", "program.debug"} {
		binary := compile(t, "gcc", hereProgram, "-Wl,--build-id")
		debug := filepath.Join(filepath.Dir(binary), where)
		split(t, binary, debug)
		command(t, "objcopy", "--add-gnu-debuglink="+debug, binary)
		h := start(t, exec.Command(binary))
		wantFunction(t, open(t, h.PID, t.TempDir()), h.address, "here")

		other := compile(t, "gcc", hereProgram+"int other;", "-Wl,--build-id")
		split(t, other, debug)
		p := open(t, h.PID, t.TempDir())
		frames, _ := p.Stack([]uint64{h.address})
		problems := fmt.Sprint(p.Problems())
		if len(frames) != 1 || !strings.HasPrefix(frames[0].Function, "program+0x") || !strings.Contains(problems, "of another build") {
			t.Errorf("%s of another build: %+v, %s", where, frames, problems)
		}
	}
}

// TestDebugFileInRoot: a process with a root of its own has debug files there; links in it do not lead out of it.
func TestDebugFileInRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot needs root")
	}
	binary := compile(t, "gcc", hereProgram, "-Wl,--build-id", "-static")
	id := buildIDOf(t, binary)
	path := filepath.Join(".build-id", id[:2], id[2:]+".debug")
	elsewhere := t.TempDir()
	split(t, binary, filepath.Join(elsewhere, path))
	for _, tt := range []struct {
		name   string
		put    func(root string) error // into the root, where its debug files belong
		prefix string
	}{
		{"a file", func(root string) error {
			data, err := os.ReadFile(filepath.Join(elsewhere, path))
			if err != nil {
				return err
			}
			file := filepath.Join(root, "debug", path)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			return os.WriteFile(file, data, 0o644)
		}, "here"},
		{"a link out", func(root string) error {
			return os.Symlink(elsewhere, filepath.Join(root, "debug"))
		}, "program+0x"},
		{"a link up and out", func(root string) error {
			return os.Symlink("../../../../../../../.."+elsewhere, filepath.Join(root, "debug"))
		}, "program+0x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.Link(binary, filepath.Join(root, "program")); err != nil {
				t.Fatal(err)
			}
			if err := tt.put(root); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/program")
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
			h := start(t, cmd)
			p := open(t, h.PID, "/debug")
			h.End()
			frames, _ := p.Stack([]uint64{h.address})
			if len(frames) != 1 || !strings.HasPrefix(frames[0].Function, tt.prefix) {
				t.Errorf("frames %+v, want one, %s; problems %v", frames, tt.prefix, p.Problems())
			}
		})
	}
}

// TestOtherMounts: a binary that only another mount namespace has is named, also after the process and with it
// the file are gone.
func TestOtherMounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a mount namespace needs root")
	}
	binary := compile(t, "gcc", hereProgram)
	hidden := t.TempDir()
	script := fmt.Sprintf("mount -t tmpfs none %[1]s && cp %[2]s %[1]s/hidden && exec %[1]s/hidden", hidden, binary)
	h := start(t, exec.Command("unshare", "--mount", "sh", "-c", script))
	if _, err := os.Stat(filepath.Join(hidden, "hidden")); err == nil {
		t.Fatal("the binary is in this namespace too")
	}
	for _, gone := range []bool{false, true} {
		p := open(t, h.PID)
		if gone {
			h.End()
		}
		wantFunction(t, p, h.address, "here")
		c, _ := p.find(h.address)
		if c.name() != filepath.Join(hidden, "hidden") {
			t.Errorf("binary %q", c.name())
		}
	}
}

// TestOtherMountsOtherWays: map_files is not to be had without CAP_SYS_ADMIN. The other ways lead into the other
// namespace too.
func TestOtherMountsOtherWays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a mount namespace needs root")
	}
	binary := compile(t, "gcc", hereProgram)
	hidden := t.TempDir()
	script := fmt.Sprintf("mount -t tmpfs none %[1]s && cp %[2]s %[1]s/hidden && exec %[1]s/hidden", hidden, binary)
	h := start(t, exec.Command("unshare", "--mount", "sh", "-c", script))
	p := open(t, h.PID)
	c, ok := p.find(h.address)
	if !ok {
		t.Fatal("no mapping")
	}
	dir := int(p.dir.Fd())
	for _, way := range []string{"root" + c.path, "exe"} {
		f, _, err := openVerified(dir, way, c.mapping)
		if err != nil {
			t.Errorf("%s: %v", way, err)
			continue
		}
		f.Close()
	}
}
