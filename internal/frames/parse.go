package frames

import (
	"math"

	"multiproc/internal/cbor"
)

// Frame is a payload, cut into its parts. All of them share memory with it.
// Which fields are set depends on the kind.
type Frame struct {
	Kind Kind
	Seq  uint64 // of all but Hello and Bye

	Object  uint64 // Call
	Method  []byte // Call; text
	Timeout int64  // Call; milliseconds, negative: none
	// Args are those of a Call, or of the exception that an Error stands for.
	// Those of a Call are not known to be well formed: see Items.Next.
	Args Items

	// Value is that of a Return or an Event: not empty, and not known to be well
	// formed, nor to be one item.
	Value []byte
	Taken bool // Return

	Module, Class []byte // Error; text
	Names         Items  // Error; any items

	Reason  []byte // Bye; text
	Hello   Items  // Hello: names and values by turns
	Confirm bool   // Ack
}

// sizes are how many items the frames of each kind have.
var sizes = [...]byte{Hello: 3, Call: 6, Cancel: 3, Ack: 3, Return: 4, Error: 6, Event: 3, Bye: 3}

// CallSeq is the number of the call that a payload begins with, of which nothing
// more may be there.
func CallSeq(payload []byte) (seq uint64, ok bool) {
	if len(payload) < 3 || payload[0] != cbor.MajorArray<<5|sizes[Call] || Kind(payload[1]) != Call {
		return 0, false
	}
	major, n, _, ok := head(payload[2:])
	return n, ok && major == cbor.MajorUint
}

// Parse cuts a payload into its parts and sets all of f. An error wraps
// mperr.ErrCorrupt. It takes no memory.
func Parse(payload []byte, f *Frame) error {
	*f = Frame{Timeout: NoTimeout}
	if len(payload) < 3 || payload[0]>>5 != cbor.MajorArray || payload[1] >= byte(len(sizes)) {
		return corrupt("it begins with % x, which none does", payload[:min(len(payload), 3)])
	}
	f.Kind = Kind(payload[1])
	if payload[0]&31 != sizes[f.Kind] {
		return corrupt("%v with %d parts", f.Kind, payload[0]&31)
	}
	major, n, rest, ok := head(payload[2:])
	if !ok || major != cbor.MajorUint {
		return corrupt("%v without a number", f.Kind)
	}
	if f.Kind.HasSeq() {
		f.Seq = n
	}
	switch f.Kind {
	case Hello:
		return f.parseHello(n, rest, payload)
	case Call:
		return f.parseCall(rest)
	case Return:
		return f.parseReturn(rest)
	case Error:
		return f.parseError(rest)
	case Event:
		if f.Value = rest; len(rest) == 0 {
			return corrupt("Event without a value")
		}
	case Bye:
		if f.Reason, ok = Text(rest); !ok {
			return corrupt("Bye without a reason")
		}
	default:
		if len(rest) != 1 || rest[0] > 1 || rest[0] == 1 && f.Kind != Ack {
			return corrupt("%v with something else than 0 at its end", f.Kind)
		}
		f.Confirm = rest[0] == 1
	}
	return nil
}

func (f *Frame) parseCall(rest []byte) error {
	major, object, rest, ok := head(rest)
	if !ok || major != cbor.MajorUint {
		return corrupt("Call without an object")
	}
	f.Object = object
	if f.Method, rest, ok = str(rest, cbor.MajorText); !ok {
		return corrupt("Call without a method")
	}
	switch {
	case len(rest) > 0 && rest[0] == cbor.Null:
		rest = rest[1:]
	default:
		major, n, after, ok := head(rest)
		if !ok || major != cbor.MajorUint {
			return corrupt("Call without timeLimit")
		}
		f.Timeout, rest = int64(min(n, math.MaxInt64)), after
	}
	if f.Args, ok = Array(rest); !ok {
		return corrupt("Call without arguments")
	}
	return nil
}

// parseReturn takes the last byte for what it must be, and everything before
// it for the value.
func (f *Frame) parseReturn(rest []byte) error {
	last := len(rest) - 1
	if last < 1 {
		return corrupt("Return is cut off")
	}
	taken, ok := Bool(rest[last:])
	if !ok {
		return corrupt("Return does not say whether its value was taken")
	}
	f.Value, f.Taken = rest[:last:last], taken
	return nil
}

func (f *Frame) parseError(rest []byte) (err error) {
	var ok bool
	if f.Module, rest, ok = str(rest, cbor.MajorText); !ok {
		return corrupt("Error without a module")
	}
	if f.Class, rest, ok = str(rest, cbor.MajorText); !ok {
		return corrupt("Error without a class")
	}
	args, rest, err := Next(rest)
	if err != nil {
		return err
	}
	names, rest, err := Next(rest)
	if err != nil {
		return err
	}
	var argsOK, namesOK bool
	f.Args, argsOK = Array(args)
	f.Names, namesOK = Array(names)
	if !argsOK || !namesOK || len(rest) > 0 {
		return corrupt("Error that is not one")
	}
	return nil
}
