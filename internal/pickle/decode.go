package pickle

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// Options bound what Decode accepts. The zero value is ready to use.
type Options struct {
	// MaxDepth is how deep values may be nested; 0 stands for DefaultDepth. More
	// than pyvalue.MaxDepth is of no use, for nothing else takes such values.
	MaxDepth int

	// MaxItems is how many values a pickle may push; 0 leaves it to the length of
	// the pickle.
	MaxItems int

	// MaxBytes is how much memory the values may take, by an estimate; 0 leaves
	// it to the length of the pickle.
	MaxBytes int

	// Charge is asked before memory is taken, in pieces, by a calibrated estimate
	// of what the decoder has at once. Its error refuses the pickle. Nil: nobody is.
	Charge func(n int) error

	// Object is asked about each call in the pickle at the moment when Python
	// would make it, with its arguments complete, and returns the value that
	// stands for it: o itself to leave it opaque. An error refuses the pickle.
	// It is not asked about instances that NEWOBJ makes, for their state comes
	// later, nor about the calls that Decode knows. Nil leaves all opaque.
	//
	// A pickle that sets the state of a value that was replaced is refused.
	Object func(o *pyvalue.Object) (pyvalue.Value, error)
}

// Decode decodes one pickle, which is all of b. The result does not refer to b.
//
// Errors wrap mperr.ErrCorrupt if b is no pickle or is not well-formed,
// mperr.ErrTooLarge if it exceeds a bound, mperr.ErrLimit for MaxBytes,
// errors.ErrUnsupported if it uses what is refused on principle, mperr.ErrType
// if a key cannot be hashed, or the error of Options.Object.
func Decode(b []byte, o Options) (pyvalue.Value, error) {
	d := decoders.Get().(*decoder)
	defer d.recycle()
	d.reader = reader{b: b}
	d.options = o
	if d.options.MaxDepth <= 0 {
		d.options.MaxDepth = DefaultDepth
	}
	if d.options.MaxItems <= 0 {
		d.options.MaxItems = len(b)
	}
	if d.memory = d.options.MaxBytes; d.memory <= 0 {
		d.memory = math.MaxInt
	}
	d.room = roomRatio*len(b) + spareRoom
	v, err := d.run()
	if err != nil {
		return nil, fmt.Errorf("pickle: at byte %d: %w", d.last, err)
	}
	return v, nil
}

// A large value may be written once and used often as a key, which has to be
// hashed, or as the argument of a conversion, which copies it. All together such
// work may be as much as this, for each byte of the pickle and beyond that.
const (
	roomRatio = 64
	spareRoom = 1 << 16
)

// decoder is the stack machine.
type decoder struct {
	reader
	options Options
	last    int // where the current opcode stands

	stack []pyvalue.Value
	marks []int                 // heights of the stack
	memo  []pyvalue.Value       // by number, as MEMOIZE counts
	far   map[int]pyvalue.Value // by numbers beyond the end of memo

	pushed     int
	containers int  // made so far: values cannot be nested deeper
	shared     bool // a container was taken from the memo: the values may be no tree
	room       int  // bytes that may still be spent on keys and conversions
	memory     int  // bytes that values may still take, see occupy
	tables     map[pyvalue.Value]*table
	keyer      pyvalue.Keyer // of keys that share parts
	protocol   byte
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// keepAtMost is up to which size a decoder's stack is kept for the next pickle.
const keepAtMost = 1024

// recycle gives the decoder back without the values.
func (d *decoder) recycle() {
	stack, memo, marks := d.stack, d.memo, d.marks
	if max(cap(stack), cap(memo), cap(marks)) > keepAtMost {
		*d = decoder{}
	} else {
		clear(stack[:min(d.pushed, cap(stack))]) // it was never higher
		clear(memo)
		*d = decoder{stack: stack[:0], memo: memo[:0], marks: marks[:0]}
	}
	decoders.Put(d)
}

// spend takes n bytes from what may be spent.
func (d *decoder) spend(n int) error {
	if d.room -= n; d.room < 0 {
		return fmt.Errorf("too much work for a pickle of %d bytes: %w", len(d.b), mperr.ErrTooLarge)
	}
	return nil
}

// What the decoder makes takes about so much memory, beside the bytes of texts
// and numbers, which are no more than those of the pickle.
const (
	placeBytes     = 24 // in a list, on the stack or in the memo
	containerBytes = 72
)

// occupy takes n bytes from the memory that values may take.
func (d *decoder) occupy(n int) error {
	if err := d.charge(chargeRatio * n); err != nil {
		return err
	}
	if d.memory -= n; d.memory < 0 {
		return fmt.Errorf("the values of a pickle of %d bytes take more than %d bytes: %w", len(d.b), d.options.MaxBytes, mperr.ErrLimit)
	}
	return nil
}

// chargeRatio is what the decoder has in memory for each byte that occupy counts:
// its stack grows by copying, a container is remembered when the value is weighed.
const chargeRatio = 2

func (d *decoder) charge(n int) error {
	if d.options.Charge == nil {
		return nil
	}
	return d.options.Charge(n)
}

// contain counts one more value that may hold others.
func (d *decoder) contain() error {
	d.containers++
	return d.occupy(containerBytes)
}

func (d *decoder) run() (pyvalue.Value, error) {
	if len(d.b) < 2 || d.b[0] != opProto {
		return nil, corrupt("no PROTO opcode: this is a pickle of protocol 0 or 1, or none; use protocol 2 to 5")
	}
	for {
		d.last = d.at
		op, err := d.byte()
		if err != nil {
			return nil, err
		}
		if op == opStop {
			return d.finish()
		}
		if err := d.step(op); err != nil {
			return nil, err
		}
	}
}

// finish checks what is left when the pickle ends.
func (d *decoder) finish() (pyvalue.Value, error) {
	if len(d.stack) != 1 || len(d.marks) != 0 {
		return nil, corrupt("STOP with %d values on the stack instead of one", len(d.stack))
	}
	if d.at != len(d.b) {
		return nil, corrupt("%d bytes behind the STOP opcode", len(d.b)-d.at)
	}
	v := d.stack[0]
	if d.containers > d.options.MaxDepth {
		if pyvalue.Deeper(v, d.options.MaxDepth, !d.shared) {
			return nil, fmt.Errorf("values nested more than %d deep: %w", d.options.MaxDepth, mperr.ErrTooLarge)
		}
	}
	return v, nil
}

// step carries out one opcode.
func (d *decoder) step(op byte) error {
	switch op {
	case opMark:
		d.marks = append(d.marks, len(d.stack))
		return d.occupy(placeBytes)
	case opNone:
		return d.push(nil)
	case opNewTrue:
		return d.push(true)
	case opNewFalse:
		return d.push(false)
	case opBinInt, opBinInt1, opBinInt2, opLong1, opLong4:
		return d.number(op)
	case opBinFloat:
		f, err := d.float()
		if err != nil {
			return err
		}
		return d.push(f)
	case opShortBinUnicode, opBinUnicode, opBinUnicode8, opBinString, opShortBinString:
		return d.text(op)
	case opShortBinBytes, opBinBytes, opBinBytes8, opByteArray8:
		return d.bytes(op)
	case opEmptyTuple, opTuple, opTuple1, opTuple2, opTuple3:
		return d.tuple(op)
	case opEmptyList, opEmptyDict, opEmptySet, opList, opDict, opFrozenSet:
		return d.container(op)
	case opAppend, opAppends, opSetItem, opSetItems, opAddItems:
		return d.fill(op)
	case opBinGet, opLongBinGet, opBinPut, opLongBinPut, opMemoize:
		return d.memoOp(op)
	case opGlobal, opStackGlobal, opReduce, opNewObj, opNewObjEx, opBuild:
		return d.object(op)
	}
	return d.rest(op)
}

// rest carries out the opcodes that shape the stack and the stream.
func (d *decoder) rest(op byte) error {
	switch op {
	case opProto:
		v, err := d.byte()
		if err != nil {
			return err
		}
		if v > highestProtocol {
			return fmt.Errorf("pickle protocol %d; 2 to 5 are known: %w", v, errors.ErrUnsupported)
		}
		d.protocol = v
		return nil
	case opFrame: // a hint for readers of streams
		n, err := d.size(8)
		if err == nil && n > len(d.b)-d.at {
			err = errShort
		}
		return err
	case opPop:
		return d.discard()
	case opPopMark:
		_, err := d.toMark()
		return err
	case opDup:
		v, err := d.top()
		if err != nil {
			return err
		}
		d.shared = true
		return d.push(v)
	}
	if what, ok := refused[op]; ok {
		return fmt.Errorf("opcode %#02x, %s: %w", op, what, errors.ErrUnsupported)
	}
	return corrupt("unknown opcode %#02x", op)
}

// discard takes one value from the stack, or a mark if that is on top.
func (d *decoder) discard() error {
	if n := len(d.marks); n > 0 && d.marks[n-1] == len(d.stack) {
		d.marks = d.marks[:n-1]
		return nil
	}
	_, err := d.pop()
	return err
}

func (d *decoder) push(v pyvalue.Value) error {
	if d.pushed++; d.pushed > d.options.MaxItems {
		return fmt.Errorf("more than %d values: %w", d.options.MaxItems, mperr.ErrTooLarge)
	}
	d.stack = append(d.stack, v)
	return d.occupy(placeBytes)
}

// floor is the height below which the stack is not to be touched.
func (d *decoder) floor() int {
	if n := len(d.marks); n > 0 {
		return d.marks[n-1]
	}
	return 0
}

func (d *decoder) pop() (pyvalue.Value, error) {
	v, err := d.top()
	if err == nil {
		d.stack = d.stack[:len(d.stack)-1]
	}
	return v, err
}

func (d *decoder) top() (pyvalue.Value, error) {
	if len(d.stack) <= d.floor() {
		return nil, errEmpty
	}
	return d.stack[len(d.stack)-1], nil
}

// take takes n values; they are valid until the next push.
func (d *decoder) take(n int) ([]pyvalue.Value, error) {
	if len(d.stack)-n < d.floor() {
		return nil, errEmpty
	}
	vs := d.stack[len(d.stack)-n:]
	d.stack = d.stack[:len(d.stack)-n]
	return vs, nil
}

// toMark takes the values above the last mark, and the mark.
func (d *decoder) toMark() ([]pyvalue.Value, error) {
	n := len(d.marks)
	if n == 0 {
		return nil, corrupt("no MARK on the stack")
	}
	vs := d.stack[d.marks[n-1]:]
	d.stack = d.stack[:d.marks[n-1]]
	d.marks = d.marks[:n-1]
	return vs, nil
}

var (
	errShort = corrupt("the pickle ends too early")
	errEmpty = corrupt("the stack is empty")
)

// corrupt is an error that wraps mperr.ErrCorrupt.
func corrupt(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, mperr.ErrCorrupt)...)
}
