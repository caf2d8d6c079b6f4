//go:build !race

package robust

func raceTaken() {}

func raceReleasing() {}

// RaceTaken does nothing without the race detector.
func RaceTaken() {}

// RaceReleasing does nothing without the race detector.
func RaceReleasing() {}
