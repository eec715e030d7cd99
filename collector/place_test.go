package collector

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckPlace(t *testing.T) {
	in := func(pid, user string, err error) func(string) (string, error) {
		namespaces := map[string]string{"/proc/self/ns/pid": pid, "/proc/self/ns/user": user}
		return func(path string) (string, error) { return namespaces[path], err }
	}
	if err := checkPlace(in(initialPidNamespace, initialUserNamespace, nil)); err != nil {
		t.Error(err)
	}
	if err := checkPlace(in(initialPidNamespace, "user:[4026532201]", nil)); !errors.Is(err, ErrNotSupported) || !strings.Contains(err.Error(), "root of the host") {
		t.Errorf("a rootless container: %v", err)
	}
	if err := checkPlace(in("pid:[4026532201]", initialUserNamespace, nil)); !errors.Is(err, ErrNotSupported) || !strings.Contains(err.Error(), "--pid=host") {
		t.Errorf("a container's namespace: %v", err)
	}
	if err := checkPlace(in("", "", os.ErrPermission)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestMissingCapabilities(t *testing.T) {
	const ptrace, admin, perfmon, bpf = 1 << 19, 1 << 21, 1 << 38, 1 << 39
	tests := []struct {
		effective uint64
		missing   []string
	}{
		{ptrace | perfmon | bpf, nil},
		{ptrace | admin, nil},
		{admin, []string{"CAP_SYS_PTRACE"}},
		{ptrace | bpf, []string{"CAP_PERFMON"}},
		{0, []string{"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "sudo"}},
	}
	for _, test := range tests {
		err := missingCapabilities(test.effective)
		if (err != nil) != (len(test.missing) > 0) || err != nil && !errors.Is(err, ErrNotSupported) {
			t.Errorf("%#x: %v", test.effective, err)
		}
		for _, name := range test.missing {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%#x: %v lacks %s", test.effective, err, name)
			}
		}
	}
}

func TestOSName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "os-release")
	text := "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := osName(path); got != "Debian GNU/Linux 12 (bookworm)" {
		t.Errorf("got %q", got)
	}
	if got := osName(path + ".not"); got != "" {
		t.Errorf("got %q of no file", got)
	}
}
