package symbols

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestDemangled(t *testing.T) {
	for name, want := range map[string]string{
		"_ZNSt6vectorIiSaIiEE9push_backERKi": "std::vector::push_back",
		"_ZN4weft4grow17h0123456789abcdefE":  "weft::grow",
		"_RNvC6_123foo3bar":                  "123foo::bar",
		"_ZN3abc3defEi.isra.0":               "abc::def",
		"main":                               "main",
		"_Znonsense":                         "_Znonsense",
		"_Z":                                 "_Z",
		"":                                   "",
		"_Z" + strings.Repeat("3abc", maxMangled): "_Z" + strings.Repeat("3abc", maxMangled),
	} {
		if got := demangled(name); got != want {
			t.Errorf("%.60q: %q, want %q", name, got, want)
		}
	}
}

// TestCPlusPlus compares with what the C++ compiler made of known names.
func TestCPlusPlus(t *testing.T) {
	source := `#include <cstdio>
#include <string>
namespace shop { template <class T> struct Basket { static T __attribute__((noinline)) here(T, std::string) { return getchar(); } }; }
int main() { printf("%lu\n", (unsigned long)(void *)&shop::Basket<int>::here + 4); fflush(stdout); return shop::Basket<int>::here(0, "") > 0; }
`
	binary := compile(t, "g++", source)
	h := start(t, exec.Command(binary))
	wantFunction(t, open(t, h.PID), h.address, "shop::Basket::here")
}

// TestRust compares with what the Rust compiler made of known names, in both of its manners.
func TestRust(t *testing.T) {
	source := `mod shop {
    #[inline(never)]
    pub fn here() -> i32 {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap() as i32
    }
}
fn main() {
    println!("{}", shop::here as usize + 4);
    std::process::exit(shop::here())
}
`
	for _, manner := range []string{"legacy", "v0"} {
		dir := t.TempDir()
		path, binary := filepath.Join(dir, "program.rs"), filepath.Join(dir, "program")
		if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		args := []string{"-C", "symbol-mangling-version=" + manner, "-o", binary, path}
		if manner == "legacy" {
			args = append([]string{"-Z", "unstable-options"}, args...)
		}
		cmd := exec.Command(tool(t, "rustc"), args...)
		cmd.Env = append(os.Environ(), "RUSTC_BOOTSTRAP=1") // legacy is an unstable option by now
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("rustc: %v\n%s", err, out)
		}
		h := start(t, exec.Command(binary))
		wantFunction(t, open(t, h.PID), h.address, "program::shop::here")
	}
}

func FuzzDemangled(f *testing.F) {
	f.Add("_ZNSt6vectorIiSaIiEE9push_backERKi")
	f.Add("_ZN4weft4grow17h0123456789abcdefE")
	f.Add("_RNvC6_123foo3bar")
	f.Add("_ZN3abc3defEi.isra.0")
	f.Add("_Z1fIJ1A1B1CEEvDpT_S_S0_S1_")
	f.Fuzz(func(t *testing.T, name string) {
		if got := demangled(name); got == "" && name != "" || len(got) > max(1<<demangledPow, len(name)) {
			t.Errorf("%d bytes of %d", len(got), len(name))
		}
	})
}
