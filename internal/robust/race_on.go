//go:build race

package robust

import (
	"runtime"
	"unsafe"
)

// The race detector follows no word in a mapping, so it would not see that
// one holder's work happens before the next one's, and report users' correct
// programs. This word tells it. One for all locks: several handles may lead to
// one lock.
var raceWord uint64

func raceTaken() { runtime.RaceAcquire(unsafe.Pointer(&raceWord)) }

func raceReleasing() { runtime.RaceReleaseMerge(unsafe.Pointer(&raceWord)) }
