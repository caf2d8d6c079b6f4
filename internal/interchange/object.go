package interchange

import (
	"multiproc/internal/cbor"
	"multiproc/internal/codec"
	"multiproc/internal/pyvalue"
)

// An object is tag 14 over [what was called, its arguments, flags, …], and
// then the parts that the flags mention, in this order.
const (
	objectNew     = 1 << iota // made by NEWOBJ; no part
	objectKwargs              // keyword arguments, any item
	objectState               // any item
	objectItems               // an array
	objectEntries             // a map
	objectEnd

	objectFlags = 2 // where the flags stand
	maxObject   = 7 // elements at most
)

// objectParts are the flags that have a part, and of what major type it is.
var objectParts = [...]struct {
	flag uint64
	is   byte
}{
	{objectKwargs, anything},
	{objectState, anything},
	{objectItems, cbor.MajorArray},
	{objectEntries, cbor.MajorMap},
}

func (e *encoder) object(o *pyvalue.Object) error {
	if o.Nanos != 0 { // as the Go program sent it
		if t, _, ok := timeOf(o); ok {
			return e.time(t)
		}
	}
	var flags, parts uint64 = 0, objectFlags + 1
	if o.New {
		flags |= objectNew
	}
	if o.Kwargs != nil {
		flags |= objectKwargs
		parts++
	}
	if o.HasState {
		flags |= objectState
		parts++
	}
	if len(o.Items) > 0 {
		flags |= objectItems
		parts++
	}
	if len(o.Entries) > 0 {
		flags |= objectEntries
		parts++
	}
	e.B = cbor.AppendHead(cbor.AppendHead(e.B, cbor.MajorTag, tagObject), cbor.MajorArray, parts)
	if err := e.Nest(); err != nil {
		return err
	}
	defer e.Unnest()
	if err := e.item(o.Func); err != nil {
		return codec.At(err, ".Func")
	}
	if err := e.item(o.Args); err != nil {
		return codec.At(err, ".Args")
	}
	e.B = cbor.AppendHead(e.B, cbor.MajorUint, flags)
	if flags&objectKwargs != 0 {
		if err := e.item(o.Kwargs); err != nil {
			return codec.At(err, ".Kwargs")
		}
	}
	if flags&objectState != 0 {
		if err := e.item(o.State); err != nil {
			return codec.At(err, ".State")
		}
	}
	if flags&objectItems != 0 {
		if err := e.items(o.Items); err != nil {
			return codec.At(err, ".Items")
		}
	}
	if flags&objectEntries != 0 {
		if err := e.entries(o.Entries); err != nil {
			return codec.At(err, ".Entries")
		}
	}
	return nil
}

// object fills o from the array behind its tag.
func (p *parser) object(o *pyvalue.Object, i int) (next int) {
	_, _, i = cbor.Head(p.src, i)
	o.Func, i = p.item(i)
	o.Args, i = p.item(i)
	_, flags, i := cbor.Head(p.src, i)
	o.New = flags&objectNew != 0
	if flags&objectKwargs != 0 {
		o.Kwargs, i = p.item(i)
	}
	if o.HasState = flags&objectState != 0; o.HasState {
		o.State, i = p.item(i)
	}
	if flags&objectItems != 0 {
		_, n, next := cbor.Head(p.src, i)
		o.Items, i = p.items(next, int(n))
	}
	if flags&objectEntries != 0 {
		_, n, next := cbor.Head(p.src, i)
		o.Entries, i = p.entries(next, int(n))
	}
	return i
}
