package childtest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// envSeed is what Seed reads.
const envSeed = "MP_SEED"

// Seed is where the seeds of random histories begin: 0, or what MP_SEED in the
// environment says. Only with 0 may a test expect that its histories come past
// everything; others go on from where it has ended.
func Seed(t testing.TB) uint64 {
	t.Helper()
	s := os.Getenv(envSeed)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", envSeed, err)
	}
	return n
}

// Tally says what a crash test has done, in a line that tests/torture adds up: images
// opened, processes killed, and how long a survivor had to wait at most.
func Tally(t testing.TB, images, kills int, longest time.Duration) {
	t.Helper()
	t.Logf("tally: images %d kills %d longest %v", images, kills, longest)
}
