package bpf

import "testing"

// mostVerified is how many instructions the verifier may look at in one program. The kernel refuses beyond a million
// (BPF_COMPLEXITY_LIMIT_INSNS), each release counts differently, and 100,000 take some 0.1 s of weft's start.
const mostVerified = 300_000

// A program that one kernel's verifier only just accepts is refused by another's.
func TestVerifierHasRoom(t *testing.T) {
	needProbes(t)
	for _, opts := range []Options{{}, {Stacks: true}} {
		p, err := Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		for object, collection := range p.objects {
			for name, program := range collection.Programs {
				info, err := program.Info()
				if err != nil {
					t.Fatal(err)
				}
				verified, ok := info.VerifiedInstructions()
				t.Logf("%s: %s, stacks %v: %d instructions", object, name, opts.Stacks, verified)
				if !ok || verified > mostVerified {
					t.Errorf("%s: %s, stacks %v: the verifier looked at %d instructions, want 1 to %d", object, name, opts.Stacks, verified, mostVerified)
				}
			}
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
