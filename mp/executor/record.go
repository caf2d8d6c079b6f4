package executor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"

	"multiproc/internal/mperr"
	"multiproc/internal/wire"
)

// ErrHandles says that an argument has handles in it, so that bytes alone do not
// carry it.
var ErrHandles = errors.New("the argument holds handles")

// Head is the size of a record's head: how many bytes follow, and of what kind.
const Head = 8

const (
	kindShift   = 56
	kindResult  = 0
	kindFailure = 1
	kindValue   = 2
)

// Seal completes the record of a result, which begins at from with room for its
// head.
func Seal(b []byte, from int) []byte { return seal(b, from, kindResult) }

// PutHead is Seal for the record of a result at the beginning of b.
func PutHead(b []byte, size int) { binary.LittleEndian.PutUint64(b, uint64(size)) }

// IsResult reports whether b begins with the head of a result of so many bytes.
func IsResult(b []byte, size int) bool {
	return len(b) >= Head+size && binary.LittleEndian.Uint64(b) == uint64(size)
}

// IsFailure reports whether b begins with the record of a failure.
func IsFailure(b []byte) bool { return len(b) >= Head && b[Head-1] == kindFailure }

func seal(b []byte, from int, kind uint64) []byte {
	binary.LittleEndian.PutUint64(b[from:], uint64(len(b)-from-Head)|kind<<kindShift)
	return b
}

// AppendValue appends a record that stands for a Value.
func AppendValue(b []byte) []byte { return seal(append(b, noHead[:]...), len(b), kindValue) }

var noHead [Head]byte

// AppendFailure appends a record of an error that the function returned.
func AppendFailure(b []byte, err error) []byte {
	return appendFailure(b, &wire.Failure{Message: err.Error(), Names: mperr.Names(err)})
}

// AppendPanic appends a record of a panic with this value, nil for
// runtime.Goexit. It is called by what recovered it.
func AppendPanic(b []byte, value any) []byte {
	text := fmt.Sprint(value)
	err, ok := value.(error)
	switch {
	case ok:
		text = err.Error()
	case value == nil:
		text = "runtime.Goexit was called"
	}
	return appendFailure(b, &wire.Failure{Message: text, Stack: string(debug.Stack()), Names: mperr.Names(err), Panic: true})
}

func appendFailure(b []byte, f *wire.Failure) []byte {
	return seal(wire.Append(append(b, noHead[:]...), f), len(b), kindFailure)
}

// Record is what became of one item.
type Record struct {
	Result  []byte   // encoded
	Failure *Failure // or why there is none
}

// Failure is an error that the function returned, or a panic.
type Failure struct {
	Message string
	Stack   string  // of the goroutine that panicked
	Causes  []error // the registered errors that it was
	Panic   bool
}

// Cut takes the first record off b.
func Cut(b []byte) (r Record, rest []byte, err error) {
	n, kind, ok := head(b)
	if !ok {
		return r, nil, fmt.Errorf("results end within a record: %w", mperr.ErrCorrupt)
	}
	body, rest := b[Head:Head+n], b[Head+n:]
	switch kind {
	case kindResult:
		return Record{Result: body}, rest, nil
	case kindFailure:
		m, err := wire.Decode(body)
		if f, ok := m.(*wire.Failure); ok && err == nil {
			return Record{Failure: &Failure{Message: f.Message, Stack: f.Stack, Causes: mperr.Sentinels(f.Names), Panic: f.Panic}}, rest, nil
		}
	}
	return r, nil, fmt.Errorf("a record of kind %d: %w", kind, mperr.ErrCorrupt)
}

// Skip returns the size of the first record in b, 0 if there is no whole one, and
// whether it is a failure or stands for a Value.
func Skip(b []byte) (size int, failure, value bool) {
	n, kind, ok := head(b)
	if !ok {
		return 0, false, false
	}
	return Head + n, kind == kindFailure, kind == kindValue
}

func head(b []byte) (n int, kind uint64, ok bool) {
	if len(b) < Head {
		return 0, 0, false
	}
	h := binary.LittleEndian.Uint64(b)
	size := h & (1<<kindShift - 1)
	return int(size), h >> kindShift, size <= uint64(len(b)-Head)
}
