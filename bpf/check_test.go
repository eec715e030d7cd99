package bpf

import "testing"

// A thread whose running is not the kernel's is told of, but for the time in which its CPU looked for other work, which
// the kernel has charged to nobody: that is known to the ns, and bounded.
func TestMismatchesOfRunning(t *testing.T) {
	const ran = 50_000_000 // ns
	for _, test := range []struct {
		name            string
		newidle, lacked uint64 // ns, by weft and by the kernel
		want            bool
	}{
		{"equal", 0, 0, false},
		{"rounded", 0, roundingNS, false},
		{"lacks more", 0, roundingNS + 1, true},
		{"looked for other work", 253_000, 253_000, false},
		{"and lacks more", 253_000, 253_000 + roundingNS + 1, true},
		{"at most", 2_000_000, ran/100 + newidleNS, false},
		{"beyond", 2_000_000, ran/100 + newidleNS + roundingNS + 1, true},
	} {
		var account ThreadTime
		account.Activity = ActivityFutex
		account.Work.Ns[ActivityRunning] = ran
		account.AtNs, account.SinceNs = ran, ran
		account.ExecNs = ran - test.lacked
		account.NewidleNs = test.newidle
		found := account.Mismatches()
		if len(found) > 1 || (len(found) == 1) != test.want {
			t.Errorf("%s: %+v, want one: %v", test.name, found, test.want)
		}
		if test.want && len(found) == 1 && found[0] != (Mismatch{"running", ran, ran - int64(test.lacked)}) {
			t.Errorf("%s: %+v", test.name, found[0])
		}
	}
}
