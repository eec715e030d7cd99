//go:build cgo

package main

// static __thread long long kept[20];
// int keep(int i) { return ++kept[i % 20]; }
import "C"

// A thread's memory of C's own moves the runtime's.
func init() { C.keep(1) }
