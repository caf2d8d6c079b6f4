// Package randtype makes random Go types with random values, for tests that
// hold for all of them.
package randtype

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"time"
)

// Source makes types and values. The same seed makes the same ones.
type Source struct {
	rnd *rand.Rand
}

// New returns a source.
func New(seed uint64) *Source { return &Source{rand.New(rand.NewPCG(seed, 1))} }

var basic = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int64](),
	reflect.TypeFor[uint8](), reflect.TypeFor[uint64](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[complex128](), reflect.TypeFor[string](), reflect.TypeFor[time.Time](), reflect.TypeFor[[3]byte](),
	reflect.TypeFor[time.Duration](), reflect.TypeFor[any](),
}

// Type returns a type that has about depth levels.
func (s *Source) Type(depth int) reflect.Type {
	if depth <= 0 {
		return basic[s.rnd.IntN(len(basic))]
	}
	switch s.rnd.IntN(7) {
	case 0:
		return reflect.SliceOf(s.Type(depth - 1))
	case 1:
		return reflect.ArrayOf(s.rnd.IntN(3), s.Type(depth-1))
	case 2:
		return reflect.PointerTo(s.Type(depth - 1))
	case 3, 4:
		return reflect.MapOf(s.key(depth-1), s.Type(depth-1))
	case 5:
		return s.structOf(depth, s.Type)
	}
	return s.Type(0)
}

// key returns a type that has ==, and no pointers.
func (s *Source) key(depth int) reflect.Type {
	if depth <= 0 || s.rnd.IntN(2) == 0 {
		return s.Type(0)
	}
	if s.rnd.IntN(2) == 0 {
		return reflect.ArrayOf(1+s.rnd.IntN(2), s.key(depth-1))
	}
	return s.structOf(depth, s.key)
}

func (s *Source) structOf(depth int, part func(int) reflect.Type) reflect.Type {
	var fields []reflect.StructField
	for i := range s.rnd.IntN(4) {
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: part(depth - 1)})
	}
	return reflect.StructOf(fields)
}

// Value returns a value of type t. In a map, and where an any is part of a key,
// it is one that has ==.
func (s *Source) Value(t reflect.Type) reflect.Value { return s.value(t, false) }

func (s *Source) value(t reflect.Type, key bool) reflect.Value {
	v := reflect.New(t).Elem()
	if t == reflect.TypeFor[time.Time]() {
		zone := time.FixedZone("", (s.rnd.IntN(48)-24)*1800)
		v.Set(reflect.ValueOf(time.Unix(s.rnd.Int64N(1<<33), s.rnd.Int64N(1e9)).In(zone)))
		return v
	}
	switch t.Kind() {
	case reflect.Bool:
		v.SetBool(s.rnd.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int64:
		v.SetInt(s.rnd.Int64() >> s.rnd.IntN(64) >> (64 - t.Bits()))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(s.rnd.Uint64() >> s.rnd.IntN(64) >> (64 - t.Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{0, math.Copysign(0, -1), 1, 0.1, math.MaxFloat32, math.Inf(1), float64(s.rnd.IntN(1000))}[s.rnd.IntN(7)])
	case reflect.Complex128:
		v.SetComplex(complex(float64(s.rnd.IntN(3)), float64(s.rnd.IntN(3))))
	case reflect.String:
		v.SetString([]string{"", "a", "é\x00", "\xff\xfe", "longer than a word"}[s.rnd.IntN(5)])
	case reflect.Interface:
		if x := s.loose(key); x.IsValid() {
			v.Set(x)
		}
	case reflect.Pointer:
		if s.rnd.IntN(4) > 0 {
			v.Set(reflect.New(t.Elem()))
			v.Elem().Set(s.value(t.Elem(), key))
		}
	case reflect.Slice:
		if s.rnd.IntN(5) > 0 {
			v.Set(reflect.MakeSlice(t, 0, 3))
			for range s.rnd.IntN(4) {
				v.Set(reflect.Append(v, s.value(t.Elem(), key)))
			}
		}
	case reflect.Map:
		if s.rnd.IntN(5) > 0 {
			v.Set(reflect.MakeMap(t))
			for range s.rnd.IntN(4) {
				v.SetMapIndex(s.value(t.Key(), true), s.value(t.Elem(), key))
			}
		}
	case reflect.Array:
		for i := range t.Len() {
			v.Index(i).Set(s.value(t.Elem(), key))
		}
	case reflect.Struct:
		for i := range t.NumField() {
			v.Field(i).Set(s.value(t.Field(i).Type, key))
		}
	}
	return v
}

// loose is what an any holds.
func (s *Source) loose(key bool) reflect.Value {
	if s.rnd.IntN(6) == 0 {
		return reflect.Value{}
	}
	if s.rnd.IntN(8) == 0 {
		return reflect.ValueOf(new(big.Int).Lsh(big.NewInt(s.rnd.Int64()), uint(s.rnd.IntN(100))))
	}
	if key {
		return s.value(s.key(1), true)
	}
	return s.value(s.Type(s.rnd.IntN(3)), false)
}
