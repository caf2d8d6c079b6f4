package busypoll

import "testing"

// What does not pay is done ever more rarely, and at once again when it paid.
func TestHabit(t *testing.T) {
	var h habit
	tries := 0
	for range 10_000 {
		if h.worth() {
			tries++
			h.failed()
		}
	}
	if tries < 10 || tries > 60 {
		t.Errorf("%d tries in 10 000 reads that were all in vain", tries)
	}
	for !h.worth() {
	}
	h.paid()
	for range 100 {
		if !h.worth() {
			t.Fatal("left out although it pays")
		}
		h.paid()
	}
}
