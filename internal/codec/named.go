package codec

import (
	"fmt"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/mperr"
)

// named is a type that may travel inside an any, under a type expression.
type named struct {
	plan *Plan
	expr string
	head []byte // tagTyped, the array of two, and the expression

	// How an any holds such a value: its first word, and whether the second one
	// points to the value instead of being it.
	word   unsafe.Pointer
	points bool
}

// eface is how an any lies in memory.
type eface struct{ word, data unsafe.Pointer }

func newNamed(p *Plan, expr string) *named {
	zero := reflect.Zero(p.Type()).Interface()
	e := (*eface)(unsafe.Pointer(&zero))
	head := cbor.AppendHead(cbor.AppendHead(nil, cbor.MajorTag, tagTyped), cbor.MajorArray, 2)
	// A zero that is held as itself is a nil pointer.
	return &named{p, expr, cbor.AppendText(head, expr), e.word, e.data != nil}
}

// unboxed returns where the value of x lies, for who does not change it. Methods
// of the type, which might, are given a copy.
func (n *named) unboxed(x any) unsafe.Pointer {
	switch data := (*eface)(unsafe.Pointer(&x)).data; {
	case n.plan.methods:
		v := reflect.New(n.plan.Type())
		v.Elem().Set(reflect.ValueOf(x))
		return v.UnsafePointer()
	case n.points:
		return data
	default:
		return unsafe.Pointer(&data)
	}
}

// boxed returns what v points to, which nobody else knows, in an any.
func (n *named) boxed(v reflect.Value) (x any) {
	if !n.points {
		return v.Elem().Interface()
	}
	*(*eface)(unsafe.Pointer(&x)) = eface{n.word, v.UnsafePointer()}
	return x
}

// byType caches what namedOf found: reflect.Type to *named.
var byType sync.Map

// namedOf returns what it takes to send a value of type t in an any.
func namedOf(t reflect.Type) (*named, error) {
	if n, ok := byType.Load(t); ok {
		return n.(*named), nil
	}
	p, err := Of(t)
	if err != nil {
		return nil, err
	}
	expr, err := expressionOf(t)
	if err != nil {
		return nil, err
	}
	n, _ := byType.LoadOrStore(t, newNamed(p, expr))
	return n.(*named), nil
}

// byExpr caches what namedBy found. The map is never changed, but replaced by a
// longer one. A type has one expression, and reflect keeps all types that it was
// asked for; still, strangers may make us know no more than maxNames.
var byExpr atomic.Pointer[map[string]*named]

const maxNames = 1000

// namedBy returns the type that an expression stands for.
func namedBy(expr []byte) (*named, error) {
	known := byExpr.Load()
	if known != nil {
		if n, ok := (*known)[string(expr)]; ok {
			return n, nil
		}
	}
	t, err := parseType(string(expr))
	if err != nil {
		return nil, err
	}
	if t.Kind() == reflect.Interface {
		return nil, Corrupt("an any that holds an any")
	}
	p, err := Of(t)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", mperr.ErrCorrupt, err)
	}
	n := newNamed(p, string(expr))
	longer := map[string]*named{n.expr: n}
	if known != nil {
		if len(*known) >= maxNames {
			return n, nil
		}
		maps.Copy(longer, *known)
	}
	byExpr.CompareAndSwap(known, &longer) // or somebody else did, and the next message does
	return n, nil
}
