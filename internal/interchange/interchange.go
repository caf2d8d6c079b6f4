package interchange

import (
	"fmt"
	"math/big"
	"reflect"
	"time"

	"multiproc/internal/codec"
	"multiproc/internal/mperr"
	"multiproc/internal/pyvalue"
)

// Plan knows how values of one Go type travel, see codec.Plan. Errors of its
// Decode wrap mperr.ErrType if the bytes are well but do not fit the type.
type Plan = codec.Plan

// Type is a plan for T.
type Type[T any] = codec.Typed[T]

// OfType returns the plan for t, or an error that names the part of t that
// cannot travel and says what to do about it.
func OfType(t reflect.Type) (*Plan, error) { return interchange.Of(t) }

// OfKey is OfType for types whose values are keys of dicts or members of sets.
// They are written as Python's keys must be: structs and arrays become tuples.
// Equal keys become equal bytes, but for floats that equal integers and what is
// in an any. Types that hold pointers are refused, and those without ==.
func OfKey(t reflect.Type) (*Plan, error) { return interchange.OfKey(t) }

// For returns the plan for T, or an error as OfType does.
func For[T any]() (*Type[T], error) { return typed[T](interchange.Of) }

// ForKey is For for keys of dicts and members of sets; see OfKey.
func ForKey[T any]() (*Type[T], error) { return typed[T](interchange.OfKey) }

func typed[T any](of func(reflect.Type) (*Plan, error)) (*Type[T], error) {
	p, err := of(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	return &Type[T]{Plan: p}, nil
}

// The shapes that only this dialect has.
const (
	shapeComplex = codec.ShapeOwn + iota // 8 or 16 bytes in memory
	shapeError                           // an exception, or null
	shapeTime                            // time.Time
	shapeBig                             // big.Int
	shapeData                            // a type of package data
)

// interchange is the dialect that every program of a manager reads.
var interchange = codec.Dialect{
	Name:   "interchange",
	Far:    "another program",
	Chan:   "share a *mp.Queue instead",
	Func:   "send what it needs to know",
	Lock:   "*mp.Mutex",
	Hidden: "MarshalText and UnmarshalText",
	Depth:  MaxDepth,
	Deep:   codec.Corrupt("a value that holds itself, which %d levels of Go values cannot", MaxDepth),
	Wrong:  mperr.ErrType,
	NoKey:  fmt.Errorf("%w: a key that has no == in Go; use a *pymp.Dict or any", mperr.ErrType),
	Tag:    tagName,
	Form:   formOf,
}

func init() { // they use interchange themselves
	interchange.Own = ownShape
	interchange.NewEncoder = func() *codec.Encoder { e := new(encoder); e.Hooks = e; return &e.Encoder }
	interchange.NewDecoder = func() *codec.Decoder { d := new(decoder); d.Hooks = d; return &d.Decoder }
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	bigType   = reflect.TypeFor[big.Int]()
	errorType = reflect.TypeFor[error]()
)

// dataTypes are the types of package pyvalue that stand for themselves.
var dataTypes = map[reflect.Type]bool{
	reflect.TypeFor[pyvalue.Tuple]():      true,
	reflect.TypeFor[*pyvalue.ByteArray](): true,
	reflect.TypeFor[*pyvalue.List]():      true,
	reflect.TypeFor[*pyvalue.Dict]():      true,
	reflect.TypeFor[*pyvalue.Set]():       true,
	reflect.TypeFor[*pyvalue.FrozenSet](): true,
	reflect.TypeFor[pyvalue.Slice]():      true,
	reflect.TypeFor[pyvalue.Range]():      true,
	reflect.TypeFor[pyvalue.Global]():     true,
	reflect.TypeFor[*pyvalue.Object]():    true,
	reflect.TypeFor[pyvalue.Ref]():        true,
	reflect.TypeFor[*pyvalue.Exception](): true,
}

func ownShape(n *codec.Node) (done bool, err error) {
	switch t := n.Type; {
	case dataTypes[t]:
		n.Shape, n.Loose, n.Null = shapeData, true, t.Kind() == reflect.Pointer
	case t == timeType:
		n.Shape, n.Quiet = shapeTime, true
	case t == bigType:
		n.Shape, n.Quiet = shapeBig, true
	case t == errorType:
		n.Shape, n.Null = shapeError, true
	case t.Kind() == reflect.Interface && t.NumMethod() > 0:
		return true, interchange.Refuse(t, "other programs do not know the types behind it; use a concrete type, error or any")
	case t.Kind() == reflect.Complex64, t.Kind() == reflect.Complex128:
		n.Shape, n.Opaque, n.Quiet = shapeComplex, false, true
	default:
		return false, nil
	}
	return true, nil
}

// formOf: a text is what programs in other languages can read, so it goes before
// bytes, except for big.Float, which loses its precision in a text. A struct
// without secrets goes field by field unless it has MarshalBinary: that cannot
// lose anything, a text can.
func formOf(t reflect.Type, open bool) *codec.Form {
	switch {
	case open && !codec.BinaryForm.Has(t):
		return nil
	case t == reflect.TypeFor[big.Float]():
		return codec.GobForm
	}
	return codec.FirstForm(t, codec.TextForm, codec.BinaryForm, codec.GobForm)
}

// tagNames are what the tags stand for.
var tagNames = map[uint64]string{
	tagTime: "a time", tagPositive: "a large integer", tagNegative: "a large negative integer", tagRef: "a shared object",
	tagTuple: "a tuple", tagRawText: "a text that is not UTF-8", tagFrozenSet: "a frozenset", tagByteArray: "a bytearray",
	tagSlice: "a slice", tagRange: "a range", tagGlobal: "the name of a class or function", tagObject: "a Python object",
	tagException: "an exception", tagSet: "a set", tagComplex: "a complex number", tagShared: "an item that is shared",
}

func tagName(n uint64) (name string, counted bool) {
	return tagNames[n], n == tagTuple || n == tagSet || n == tagFrozenSet
}
