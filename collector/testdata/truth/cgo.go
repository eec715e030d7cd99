//go:build cgo

package main

/*
#include <errno.h>
#include <time.h>

static void weft_c_nap(long ns)
{
	struct timespec left = { ns / 1000000000, ns % 1000000000 };
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}
*/
import "C"

import "time"

func cgoSteps() []step { return []step{{"c-nap", stepCNap}} }

func stepCNap(t *truth, _ string) error {
	start := time.Now()
	napInC()
	t.Naps = append(t.Naps, napped{
		Function: "weft_c_nap", Callers: "napInC",
		TookNS: time.Since(start).Nanoseconds(), AskedNS: napTime.Nanoseconds(),
	})
	return nil
}

//go:noinline
func napInC() { C.weft_c_nap(C.long(napTime.Nanoseconds())) }
