package objects

import (
	"math"
	"slices"
	"testing"

	"multiproc/internal/pyvalue"
)

func TestRangeItems(t *testing.T) {
	for _, c := range []struct {
		start, stop, step int64
		want              []pyvalue.Value
	}{
		{0, 3, 1, []pyvalue.Value{int64(0), int64(1), int64(2)}},
		{0, 5, 2, []pyvalue.Value{int64(0), int64(2), int64(4)}},
		{0, 4, 2, []pyvalue.Value{int64(0), int64(2)}},
		{3, 0, -1, []pyvalue.Value{int64(3), int64(2), int64(1)}},
		{3, 3, 1, []pyvalue.Value{}},
		{3, 0, 1, []pyvalue.Value{}},
		{0, 3, -1, []pyvalue.Value{}},
		{math.MinInt64, math.MaxInt64, math.MaxInt64, []pyvalue.Value{int64(math.MinInt64), int64(-1), int64(math.MaxInt64 - 1)}},
		{math.MaxInt64, math.MinInt64, math.MinInt64, []pyvalue.Value{int64(math.MaxInt64), int64(-1)}},
	} {
		got, err := rangeItems(pyvalue.Range{Start: c.start, Stop: c.stop, Step: c.step})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("range(%d, %d, %d): %v %v, want %v", c.start, c.stop, c.step, got, err, c.want)
		}
	}
	for _, r := range []pyvalue.Range{
		{Start: int64(0), Stop: int64(maxRange + 1), Step: int64(1)},
		{Start: int64(math.MinInt64), Stop: int64(math.MaxInt64), Step: int64(1)},
		{Start: int64(0), Stop: int64(1), Step: int64(0)},
	} {
		if n := testing.AllocsPerRun(1, func() {
			if items, err := rangeItems(r); err == nil {
				t.Errorf("%v has %d items", r, len(items))
			}
		}); n > 20 {
			t.Errorf("%v cost %v allocations", r, n)
		}
	}
}
