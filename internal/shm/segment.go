// Package shm gives a shared object its memory: one sealed, unnamed memory
// file an object, passed from process to process by descriptor.
//
// The kernel is the garbage collector: a segment lives as long as a
// descriptor or a mapping of it does, nothing is named, and nothing is left
// behind when every process is killed. Segments are sparse: a page costs
// memory when it is first touched.
package shm

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"sync"
	"unsafe"

	"multiproc/internal/mperr"
)

// ID names a shared object, or a family of processes, for as long as it
// lives. It is random: two objects never share one.
type ID [16]byte

// NewID returns a fresh random ID.
func NewID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails (it ends the process instead)
	return id
}

func (id ID) String() string { return fmt.Sprintf("%x", id[:4]) }

// Kind says what a segment holds.
type Kind uint32

// The kinds of segments. Numbers are part of the layout: never reuse one.
const (
	KindFamily Kind = iota + 1
	KindQueue
	KindPipe
	KindValue
	KindArray
	KindCounter
	KindMutex
	KindRawValue
	KindRawArray
	KindRecursiveMutex
	KindSemaphore
	KindEvent
	KindBarrier
	KindRWMutex
	KindCond
	KindWaitGroup
	KindOnce
	KindDict
	KindSet
	KindList
)

var kindNames = [...]string{"", "family table", "queue", "pipe", "value", "array", "counter", "mutex", "raw value", "raw array", "recursive mutex", "semaphore", "event", "barrier", "rwmutex", "cond", "waitgroup", "once", "dict", "set", "list"}

func (k Kind) String() string {
	if int(k) < len(kindNames) && k != 0 {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint32(k))
}

// The header stands at offset 0 of every segment. Offsets are written out;
// TestHeaderGolden pins them.
//
//	  0  magic        8 bytes "mpshm\r\n\x00": text conversion would break it
//	  8  version      uint32, layout version
//	 12  arch         uint32, byte order and word size of the writer
//	 16  kind         uint32
//	 20  page size    uint32
//	 24  size         uint64, bytes of the whole file
//	 32  id           16 bytes
//	 48  family       16 bytes
//	 64  fingerprint  16 bytes, of the element type
//	 80  params       4 × uint64, their meaning is the kind's
//	112  reserved     8 bytes, zero
//	120  checksum     uint64, FNV-1a of bytes 0 to 119
//
// It is written once, before the segment is shown to anybody, and never
// changes: a reader needs no lock. The object's own words start at
// HeaderSize.
const (
	HeaderSize = 128
	version    = 1

	offVersion, offArch, offKind, offPage = 8, 12, 16, 20
	offSize, offID, offFamily, offFinger  = 24, 32, 48, 64
	offParams, offSum                     = 80, 120
)

var magic = [8]byte{'m', 'p', 's', 'h', 'm', '\r', '\n', 0}

// Header describes a segment.
type Header struct {
	Kind        Kind
	ID          ID
	Family      ID
	Fingerprint [16]byte
	Params      [4]uint64
	Size        int64 // bytes of the file; Create rounds it up to whole pages
}

// arch marks what the memory of raw values depends on. Both supported
// machines are little-endian with 64-bit words, but processes of different
// machines never share a segment, so a difference means corruption.
func arch() uint32 {
	one := uint16(1)
	little := *(*byte)(unsafe.Pointer(&one)) == 1
	mark := uint32(unsafe.Sizeof(uintptr(0)))
	if little {
		mark |= 0x0100
	}
	return mark
}

func (h *Header) encode() (b [HeaderSize]byte) {
	le := binary.LittleEndian
	copy(b[:], magic[:])
	le.PutUint32(b[offVersion:], version)
	le.PutUint32(b[offArch:], arch())
	le.PutUint32(b[offKind:], uint32(h.Kind))
	le.PutUint32(b[offPage:], uint32(pageSize()))
	le.PutUint64(b[offSize:], uint64(h.Size))
	copy(b[offID:], h.ID[:])
	copy(b[offFamily:], h.Family[:])
	copy(b[offFinger:], h.Fingerprint[:])
	for i, p := range h.Params {
		le.PutUint64(b[offParams+8*i:], p)
	}
	le.PutUint64(b[offSum:], checksum(b[:offSum]))
	return b
}

// decodeHeader reads what may be anything: the bytes come from a descriptor
// that another process sent. fileSize is what the kernel says of the file.
func decodeHeader(b []byte, fileSize int64) (Header, error) {
	le := binary.LittleEndian
	bad := func(format string, a ...any) (Header, error) {
		return Header{}, fmt.Errorf("shared memory segment: %s: %w", fmt.Sprintf(format, a...), mperr.ErrCorrupt)
	}
	if len(b) < HeaderSize {
		return bad("%d bytes are too few for a header", len(b))
	}
	if [8]byte(b[:8]) != magic {
		return bad("it does not begin with the magic of multiproc")
	}
	if v := le.Uint32(b[offVersion:]); v != version {
		return bad("layout version %d, this program knows version %d", v, version)
	}
	if sum := le.Uint64(b[offSum:]); sum != checksum(b[:offSum]) {
		return bad("the header's checksum is wrong")
	}
	if a := le.Uint32(b[offArch:]); a != arch() {
		return bad("architecture mark %#x, this program's is %#x", a, arch())
	}
	if p := le.Uint32(b[offPage:]); p != uint32(pageSize()) {
		return bad("made for pages of %d bytes, this machine's have %d", p, pageSize())
	}
	h := Header{Kind: Kind(le.Uint32(b[offKind:])), Size: int64(le.Uint64(b[offSize:]))}
	if h.Size != fileSize {
		return bad("the header says %d bytes, the file has %d", h.Size, fileSize)
	}
	copy(h.ID[:], b[offID:])
	copy(h.Family[:], b[offFamily:])
	copy(h.Fingerprint[:], b[offFinger:])
	for i := range h.Params {
		h.Params[i] = le.Uint64(b[offParams+8*i:])
	}
	return h, nil
}

func checksum(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return h.Sum64()
}

// Segment is this process's view of one memory file. Its methods may be
// called by several goroutines, but Close only once nobody uses the memory.
type Segment struct {
	Header
	fd int

	mu   sync.Mutex
	maps []mapping
}

type mapping struct {
	addr  uintptr
	size  uintptr
	areas int64 // that the kernel makes of it
}

// Want is what an attaching process expects of a segment.
type Want struct {
	Kind        Kind
	Family      ID
	Fingerprint [16]byte
}

// check compares a header with what was expected, most telling first.
func (w Want) check(h Header) error {
	if h.Family != w.Family {
		return fmt.Errorf("%s %s: %w", h.Kind, h.ID, mperr.ErrForeign)
	}
	if h.Kind != w.Kind {
		return fmt.Errorf("shared memory segment holds a %s where a %s is wanted: %w", h.Kind, w.Kind, mperr.ErrType)
	}
	if h.Fingerprint != w.Fingerprint {
		return fmt.Errorf("%s %s: its element type differs from this handle's: %w", h.Kind, h.ID, mperr.ErrType)
	}
	return nil
}

// PageSize is the machine's page size in bytes.
func PageSize() int64 { return pageSize() }

// RoundPage rounds n up to whole pages.
func RoundPage(n int64) int64 { return (n + pageSize() - 1) &^ (pageSize() - 1) }
