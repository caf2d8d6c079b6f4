package ring

import (
	"testing"
	"unsafe"

	"multiproc/internal/robust"
	"multiproc/internal/shm"
)

// The offsets are shared with other processes: a change is a new layout.
func TestControlLayout(t *testing.T) {
	c := control{}
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"putLock", unsafe.Offsetof(c.putLock), 0},
		{"cachedHead", unsafe.Offsetof(c.cachedHead), 16},
		{"putGen", unsafe.Offsetof(c.putGen), 24},
		{"cachedLow", unsafe.Offsetof(c.cachedLow), 28},
		{"rewindAt", unsafe.Offsetof(c.rewindAt), 32},
		{"tail", unsafe.Offsetof(c.tail), 64},
		{"getLock", unsafe.Offsetof(c.getLock), 128},
		{"cachedTail", unsafe.Offsetof(c.cachedTail), 144},
		{"getGen", unsafe.Offsetof(c.getGen), 152},
		{"head", unsafe.Offsetof(c.head), 192},
		{"notEmpty", unsafe.Offsetof(c.notEmpty), 256},
		{"notFull", unsafe.Offsetof(c.notFull), 320},
		{"widest", unsafe.Offsetof(c.widest), 328},
		{"closed", unsafe.Offsetof(c.closed), 384},
		{"done", unsafe.Offsetof(c.done), 388},
		{"allDone", unsafe.Offsetof(c.allDone), 392},
		{"ends", unsafe.Offsetof(c.ends), 448},
		{"genEnd.start", unsafe.Offsetof(genEnd{}.start), 0},
		{"genEnd.ended", unsafe.Offsetof(genEnd{}.ended), 4},
		{"sizeof genEnd", unsafe.Sizeof(genEnd{}), 8},
		{"maxGenerations", maxGenerations, 18},
		{"ControlSize", ControlSize, 640},
		{"LockSize", robust.LockSize, 16},
		{"EventSize", robust.EventSize, 8},
	} {
		if f.got != f.want {
			t.Errorf("%s is at %d, want %d", f.name, f.got, f.want)
		}
	}
	if w := pack(0x11223344, 0x55667788); w != 0x5566778811223344 || pos(w) != 0x11223344 || cnt(w) != 0x55667788 {
		t.Errorf("word %#x", w)
	}
	if h := recordHeader(5); h != 0xfffffffa00000005 {
		t.Errorf("record header %#x", h)
	}
}

func TestParams(t *testing.T) {
	for _, c := range []Config{
		{},
		{Fixed: true, Size: 8, Items: 1 << 30, Bytes: 1 << 30},
		{Fixed: true, Size: 1<<31 - 1, Items: 1<<31 - 1, Bytes: MaxBytes},
		{Items: 9, Bytes: 8},
	} {
		if got := FromParams(c.Params()); got != c {
			t.Errorf("%+v became %+v", c, got)
		}
	}
	if p := (Config{Fixed: true, Size: 24, Items: 9, Bytes: 1 << 20}).Params(); p != [2]uint64{1 << 20, 9<<32 | 24<<1 | 1} {
		t.Errorf("params %#x", p)
	}
}

// Every bound, also the odd ones, has generations that are powers of two, in
// order, few enough, the last as large as the bound.
func TestSizes(t *testing.T) {
	for _, bytes := range []int64{8, 100, 4096, 64 << 10, 64<<10 + 8, 1 << 20, 3 << 20, 1<<30 - 1, 1 << 30, MaxBytes} {
		for _, items := range []int{0, 1, 100, 100_000, 1 << 30} {
			for _, size := range []int{0, 8, 100, 1 << 20} {
				c := Config{Fixed: size > 0, Size: size, Items: items, Bytes: max(bytes, int64(size))}
				list := c.sizes()
				sum := int64(0)
				for i, s := range list {
					if s&(s-1) != 0 || s%shm.PageSize() != 0 || (i > 0 && s <= list[i-1]) {
						t.Errorf("%+v: sizes %d", c, list)
					}
					sum += s
				}
				if len(list) > maxGenerations || list[len(list)-1] < c.Bytes || c.DataSize() != sum {
					t.Errorf("%+v: sizes %d", c, list)
				}
			}
		}
	}
}
