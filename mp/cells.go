package mp

import (
	"encoding/binary"
	"math"
	"reflect"
	"unsafe"

	"multiproc/internal/cell"
)

// scalar is how the values of a type are cells of a container in memory, without going
// through the codec: a number is a word, a text its bytes behind a head of CBOR. Other
// types, and those with methods, which may have a form of their own, are none.
type scalar uint8

const (
	noScalar scalar = iota
	scalarInt8
	scalarInt16
	scalarInt32
	scalarInt64
	scalarUint8
	scalarUint16
	scalarUint32
	scalarUint64
	scalarFloat64
	scalarText
	scalarBytes
)

func scalarOf[T any]() scalar {
	t := reflect.TypeFor[T]()
	if t.NumMethod() > 0 || reflect.PointerTo(t).NumMethod() > 0 {
		return noScalar
	}
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		return scalarInt8 + scalar(log2(t.Size()))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return scalarUint8 + scalar(log2(t.Size()))
	case reflect.Float64:
		return scalarFloat64
	case reflect.String:
		return scalarText
	}
	if t == reflect.TypeFor[[]byte]() {
		return scalarBytes
	}
	return noScalar
}

func log2(size uintptr) (n int) {
	for ; size > 1; size >>= 1 {
		n++
	}
	return n
}

// isKey reports whether equal values of the type are equal cells, and no others.
func (s scalar) isKey() bool { return s != noScalar && s != scalarFloat64 && s != scalarBytes }

// cell makes a cell of the value at p. What it needs of memory it takes from buf, or
// appends to it. ok is false for a value that is no cell.
func (s scalar) cell(p unsafe.Pointer, buf []byte) (c cell.Cell, ok bool) {
	switch s {
	case scalarInt8:
		return cell.OfInt(int64(*(*int8)(p)))
	case scalarInt16:
		return cell.OfInt(int64(*(*int16)(p)))
	case scalarInt32:
		return cell.OfInt(int64(*(*int32)(p)))
	case scalarInt64:
		return cell.OfInt(*(*int64)(p))
	case scalarUint8:
		return cell.OfInt(int64(*(*uint8)(p)))
	case scalarUint16:
		return cell.OfInt(int64(*(*uint16)(p)))
	case scalarUint32:
		return cell.OfInt(int64(*(*uint32)(p)))
	case scalarUint64:
		u := *(*uint64)(p)
		if u > math.MaxInt64 {
			return cell.Cell{}, false
		}
		return cell.OfInt(int64(u))
	case scalarFloat64:
		return cell.Of(binary.BigEndian.AppendUint64(append(buf, 0xfb), math.Float64bits(*(*float64)(p)))), true
	case scalarText:
		text := *(*string)(p)
		return cell.Of(append(cell.AppendHead(buf, 0x60, uint64(len(text))), text...)), true
	case scalarBytes:
		b := *(*[]byte)(p)
		if b == nil {
			return cell.Cell{}, false
		}
		return cell.Of(append(cell.AppendHead(buf, 0x40, uint64(len(b))), b...)), true
	}
	return cell.Cell{}, false
}

// value makes the value at p of a cell. It reports false if the codec has to look at it.
func (s scalar) value(c cell.Cell, p unsafe.Pointer) bool {
	var short [9]byte
	if c.Word != 0 && s >= scalarFloat64 {
		c = cell.Cell{Bytes: c.Append(short[:0])}
	}
	switch s {
	case scalarFloat64:
		ok := len(c.Bytes) == 9 && c.Bytes[0] == 0xfb
		if ok {
			*(*float64)(p) = math.Float64frombits(binary.BigEndian.Uint64(c.Bytes[1:]))
		}
		return ok
	case scalarText:
		b, ok := c.Payload(0x60)
		if ok {
			*(*string)(p) = string(b)
		}
		return ok
	case scalarBytes:
		b, ok := c.Payload(0x40)
		if ok {
			*(*[]byte)(p) = append([]byte{}, b...)
		}
		return ok
	}
	i, ok := c.Int()
	if !ok {
		return false
	}
	switch s {
	case scalarInt8:
		*(*int8)(p), ok = int8(i), int64(int8(i)) == i
	case scalarInt16:
		*(*int16)(p), ok = int16(i), int64(int16(i)) == i
	case scalarInt32:
		*(*int32)(p), ok = int32(i), int64(int32(i)) == i
	case scalarInt64:
		*(*int64)(p) = i
	case scalarUint8:
		*(*uint8)(p), ok = uint8(i), int64(uint8(i)) == i
	case scalarUint16:
		*(*uint16)(p), ok = uint16(i), int64(uint16(i)) == i
	case scalarUint32:
		*(*uint32)(p), ok = uint32(i), int64(uint32(i)) == i
	case scalarUint64:
		*(*uint64)(p), ok = uint64(i), i >= 0
	default:
		return false
	}
	return ok
}
