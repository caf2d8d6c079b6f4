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

// RaceTaken tells the race detector of what was taken by other words than those of a
// Lock, as raceTaken does.
func RaceTaken() { raceTaken() }

// RaceReleasing is called before that is given back.
func RaceReleasing() { raceReleasing() }
