package bpf

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The documents say in how many ways is waited.
func TestDocsCountTheWaits(t *testing.T) {
	if _, err := os.Stat("../go.mod"); err != nil {
		t.Skipf("the documents are not here, as in the virtual machine: %v", err)
	}
	want := fmt.Sprintf("%d ways to wait", len(waits))
	for _, name := range []string{"../README.md", "../docs/accuracy.md"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(strings.Fields(string(data)), " "), want) {
			t.Errorf("%s does not say %q", name, want)
		}
	}
}
