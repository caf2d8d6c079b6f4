package mp

import (
	"encoding/binary"

	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// A mark is what a child's spawn mark says: the family, the place in its
// table, and what is to become of the programs that the task starts.
//
//	bit 62       1, so that it is no limit that anybody would set
//	bits 34..61  of the family's id
//	bits 22..33  slot
//	bits  2..21  low bits of gen
//	bits  0..1   Programs
//
// The programs inherit it. The root has none: what it starts by itself with
// os/exec carries no mark, and is nobody's but the program's.
type mark uint64

const (
	markSet       = 1 << 62
	markFamily    = 1<<62 - 1<<34
	markGen       = 1<<20 - 1
	markPrograms  = 3
	markSlotShift = 22
	markGenShift  = 2
)

var _ [markGen >> 8]byte = [table.MaxProcesses - 1]byte{} // 12 bits of slot

func familyMark(id shm.ID) mark {
	return markSet | mark(binary.LittleEndian.Uint64(id[:]))&markFamily
}

func newMark(family shm.ID, ref table.Ref, p Programs) mark {
	return familyMark(family) | mark(ref.Slot)<<markSlotShift | mark(ref.Gen&markGen)<<markGenShift | mark(p)
}

// from reports whether it is ref's process, or was started by it.
func (m mark) from(family shm.ID, ref table.Ref) bool {
	return m&^markPrograms == newMark(family, ref, 0)
}

func (m mark) programs() Programs { return Programs(m & markPrograms) }
