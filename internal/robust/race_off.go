//go:build !race

package robust

func raceTaken() {}

func raceReleasing() {}
