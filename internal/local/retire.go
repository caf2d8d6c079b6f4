package local

import (
	"runtime"
	"sync/atomic"

	"multiproc/internal/shm"
)

// Segments that were closed and wait for the collector to see that no call is
// inside. It comes by itself, but it looks at Go's memory alone: what the
// segments take is watched here.
var (
	retired      atomic.Int64 // segments
	retiredBytes atomic.Int64 // that they map
)

// How much may wait: a process may have 65 530 mappings.
const (
	maxRetired      = 4096
	maxRetiredBytes = 64 << 20
)

// retire gives back all of a segment but its mappings.
func retire(seg *shm.Segment) {
	seg.ReleaseFD()
	bytes := seg.Mapped()
	n, b := retired.Add(1), retiredBytes.Add(bytes)
	if n%maxRetired == 0 || b >= maxRetiredBytes {
		retiredBytes.Store(0) // until more has come, whatever the collector finds
		runtime.GC()
	}
}

// unretire reports whether the segment was retired; it is about to be unmapped.
func unretire(seg *shm.Segment) bool {
	if seg.FD() >= 0 {
		return false
	}
	retired.Add(-1)
	return true
}
