package bpf

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"unsafe"
)

func TestDecodeRefusesWhatIsNotARecord(t *testing.T) {
	whole := make([]byte, headerBytes+int(unsafe.Sizeof(Thread{})))
	binary.NativeEndian.PutUint32(whole, uint32(taskEventKindEVENT_THREAD_GONE))
	seen := 0
	ends := Ends{Thread: func(Thread) { seen++ }, Connection: func(Connection) { seen++ }, Time: func(ThreadTime) { seen++ }}
	if err := decode(whole, ends); err != nil || seen != 1 {
		t.Fatalf("%d seen, %v", seen, err)
	}
	bad := slices.Clone(whole)
	bad[0] = 77
	for _, raw := range [][]byte{nil, whole[:7], whole[:8], whole[:len(whole)-1], append(whole, 0), bad} {
		if err := decode(raw, ends); !errors.Is(err, ErrRecord) {
			t.Errorf("%d bytes: %v, want ErrRecord", len(raw), err)
		}
	}
	if seen != 1 {
		t.Errorf("%d records from rubbish", seen-1)
	}
}

// put is what the kernel side does with one change.
func put(raw *taskCurve, ms int64, number, before, value uint64) {
	i, _ := bucketAt(ms)
	b := &raw.Buckets[i]
	b.Greatest = max(b.Greatest, value+1)
	b.Least = max(b.Least, 1<<32-value)
	b.First = max(b.First, (1<<32-number)<<32|before)
}

func TestCurve(t *testing.T) {
	var raw taskCurve
	put(&raw, 1, 2, 5, 2) // another CPU was first with its change, and is later with its bucket
	put(&raw, 1, 1, 4, 5)
	put(&raw, 3, 3, 2, 7)
	curve := decodeCurve(&raw, 4, 7, 4*bucketNS)
	want := Curve{
		BucketNS: bucketNS,
		Least:    []int64{4, 2, 2, 2, 7},
		Greatest: []int64{4, 5, 2, 7, 7},
		Last:     []int64{4, 2, 2, 7, 7},
	}
	if !slices.Equal(curve.Least, want.Least) || !slices.Equal(curve.Greatest, want.Greatest) ||
		!slices.Equal(curve.Last, want.Last) || curve.BucketNS != want.BucketNS {
		t.Errorf("got %+v, want %+v", curve, want)
	}
}

// A curve of any length has 256 to 512 buckets, and a change at any time is in the one it belongs to.
func TestCurveLevels(t *testing.T) {
	for _, end := range []int64{511, 512, 1023, 1024, 3_600_000, 1<<29 - 1} {
		var raw taskCurve
		at := []int64{0, end / 3, end / 2, end}
		for i, ms := range at {
			put(&raw, ms, uint64(i+1), uint64(i), uint64(i+1))
		}
		curve := decodeCurve(&raw, 0, int64(len(at)), end*bucketNS)
		if n := len(curve.Last); n > 512 || n < 256 {
			t.Errorf("%d ms: %d buckets", end, n)
		}
		for i, ms := range at {
			if got := curve.Greatest[ms*bucketNS/curve.BucketNS]; got != int64(i+1) {
				t.Errorf("%d ms: value at %d ms is %d, want %d", end, ms, got, i+1)
			}
		}
	}
}

// The kernel side and Go must agree on where each millisecond is: no overlap, no gap.
func TestBucketsFollowEachOther(t *testing.T) {
	next := 0
	for ms := int64(0); ms < 1<<20; {
		i, width := bucketAt(ms)
		if i != next {
			t.Fatalf("%d ms is in bucket %d, want %d", ms, i, next)
		}
		next++
		ms += width
	}
	if i, _ := bucketAt(1<<29 - 1); i != curveBuckets-1 {
		t.Errorf("last bucket is %d, want %d", i, curveBuckets-1)
	}
}
