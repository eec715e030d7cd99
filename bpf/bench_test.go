package bpf

import "testing"

func BenchmarkOpen(b *testing.B) {
	needProbes(b)
	for b.Loop() {
		probes, err := Open(Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		probes.Close()
		b.StartTimer()
	}
}

func BenchmarkClose(b *testing.B) {
	needProbes(b)
	for b.Loop() {
		b.StopTimer()
		probes, err := Open(Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		probes.Close()
	}
}

func BenchmarkReset(b *testing.B) {
	needProbes(b)
	probes, err := Open(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer probes.Close()
	for b.Loop() {
		if err := probes.Reset(); err != nil {
			b.Fatal(err)
		}
	}
}
