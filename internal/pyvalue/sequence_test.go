package pyvalue

import (
	"slices"
	"testing"
)

// Ascending has the same indices, and lies within the sequence also where there are none.
func TestAscending(t *testing.T) {
	for length := range 5 {
		for start := -6; start <= 6; start++ {
			for stop := -6; stop <= 6; stop++ {
				for _, step := range []int{-3, -2, -1, 1, 2, 3} {
					s, err := SliceOf(&start, &stop, &step).Span(length)
					if err != nil {
						t.Fatal(err)
					}
					var was, is []int
					a := s.Ascending()
					for i := range s.N {
						was = append(was, s.At(i))
					}
					for i := range a.N {
						is = append(is, a.At(i))
					}
					slices.Sort(was)
					if !slices.Equal(was, is) || a.Start < 0 || a.Start+a.N > length || a.Step < 0 {
						t.Fatalf("[%d:%d:%d] of %d: %v is %+v ascending", start, stop, step, length, was, a)
					}
				}
			}
		}
	}
}
