package interchange

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"

	"multiproc/internal/cbor"
	"multiproc/internal/pyvalue"
)

// ParseValue parses exactly one item, which it checks first. Nothing of the
// result shares memory with src. Its error wraps mperr.ErrCorrupt.
//
// Memory is taken for at most some 60 bytes for each byte of src.
func ParseValue(src []byte) (pyvalue.Value, error) {
	c := checker{src: src}
	if err := c.all(); err != nil {
		return nil, err
	}
	switch major, n, next := cbor.Head(src, 0); {
	case major == cbor.MajorText: // without the parser
		return string(src[next:]), nil
	case major == cbor.MajorBytes:
		return append([]byte{}, src[next:]...), nil
	case major == cbor.MajorUint && n>>63 == 0:
		return int64(n), nil
	}
	p := parser{src: src, marks: c.marks}
	v, _ := p.item(0)
	return v, nil
}

// parser makes values of an item that has been checked, and so cannot fail.
type parser struct {
	src   []byte
	marks []mark
	memo  []any // what became of marks, as far as they have been read
	read  int   // marks that have been read or begun, in their order
	open  int   // 1 + the mark that the next container belongs to; 0: none

	// golike makes values as Go programs like them: int, []any, map[string]any
	// and so on, where data has int64, *List, *Dict.
	golike bool
	stack  []any // keys and values of maps that are being read, for golike

	keys  [][]byte      // see unique
	spent int           // bytes of keys that were made to find equal ones
	keyer pyvalue.Keyer // of keys that share parts
}

// item returns the value of the item at i, and where the item ends.
func (p *parser) item(i int) (v any, next int) {
	b := p.src[i]
	major, n, next := b>>5, uint64(b&31), i+1
	if n >= 24 {
		major, n, next = cbor.LongHead(p.src, i)
	}
	switch major {
	case cbor.MajorUint:
		if n>>63 != 0 {
			return new(big.Int).SetUint64(n), next
		}
		return p.integer(int64(n)), next
	case cbor.MajorNegative:
		if n>>63 != 0 {
			z := new(big.Int).SetUint64(n)
			return z.Not(z), next
		}
		return p.integer(^int64(n)), next
	case cbor.MajorText:
		end := next + int(n)
		return string(p.src[next:end]), end
	case cbor.MajorBytes:
		end := next + int(n)
		return append([]byte{}, p.src[next:end]...), end
	case cbor.MajorArray:
		return p.list(next, int(n))
	case cbor.MajorMap:
		return p.dict(next, int(n))
	case cbor.MajorTag:
		return p.tag(n, next)
	}
	switch b {
	case cbor.Null:
		return nil, next
	case cbor.Float64:
		return math.Float64frombits(n), next
	}
	return b == cbor.True, next
}

func (p *parser) integer(i int64) any {
	if p.golike && int64(int(i)) == i {
		return int(i)
	}
	return i
}

// items returns the values of n items from i on.
func (p *parser) items(i, n int) ([]any, int) {
	list := make([]any, n)
	return list, p.fill(list, i)
}

// fill sets list to the items from i on. Whatever refers to the list may see
// it before it is full.
func (p *parser) fill(list []any, i int) (next int) {
	for k := range list {
		list[k], i = p.item(i)
	}
	return i
}

// made is called with every container before its parts are read, so that they
// can refer to it.
func (p *parser) made(v any) {
	if p.open > 0 {
		p.memo[p.open-1] = v
		p.open = 0
	}
}

func (p *parser) list(i, n int) (any, int) {
	list := make([]any, n)
	if p.golike {
		p.made(list)
		return list, p.fill(list, i)
	}
	l := &pyvalue.List{Items: list}
	p.made(l)
	return l, p.fill(list, i)
}

func (p *parser) tag(n uint64, i int) (any, int) {
	switch n {
	case tagShareable:
		return p.shareable(i)
	case tagShared:
		_, number, next := cbor.Head(p.src, i)
		return p.shared(int(number)), next
	case tagTuple:
		_, length, next := cbor.Head(p.src, i)
		t := make(pyvalue.Tuple, length)
		p.made(t)
		return t, p.fill(t, next)
	case tagSet:
		_, length, next := cbor.Head(p.src, i)
		s := &pyvalue.Set{}
		p.made(s)
		s.Items, next = p.members(next, int(length))
		return s, next
	case tagFrozenSet:
		_, length, next := cbor.Head(p.src, i)
		s := &pyvalue.FrozenSet{}
		p.made(s)
		s.Items, next = p.members(next, int(length))
		return s, next
	case tagObject:
		o := new(pyvalue.Object)
		p.made(o)
		next := p.object(o, i)
		return p.known(o), next
	case tagException:
		return p.exception(i)
	case tagSlice, tagRange, tagGlobal, tagComplex:
		p.open = 0 // its parts are not what the mark means
		_, length, next := cbor.Head(p.src, i)
		parts, next := p.items(next, int(length))
		switch n {
		case tagSlice:
			return pyvalue.Slice{Start: parts[0], Stop: parts[1], Step: parts[2]}, next
		case tagRange:
			return pyvalue.Range{Start: parts[0], Stop: parts[1], Step: parts[2]}, next
		case tagGlobal:
			return pyvalue.Global{Module: parts[0].(string), Name: parts[1].(string)}, next
		}
		return complex(parts[0].(float64), parts[1].(float64)), next
	}
	_, length, body := cbor.Head(p.src, i)
	end := body + int(length)
	return p.content(n, p.src[body:end]), end
}

// content is what a tag over bytes or a text stands for.
func (p *parser) content(tag uint64, b []byte) any {
	switch tag {
	case tagTime:
		t, _ := parseTime(b)
		if p.golike {
			return t
		}
		return timeObject(t)
	case tagPositive:
		return new(big.Int).SetBytes(b)
	case tagNegative:
		n := new(big.Int).SetBytes(b)
		return n.Not(n)
	case tagRawText:
		return string(b)
	case tagByteArray:
		a := &pyvalue.ByteArray{B: append([]byte{}, b...)}
		p.made(a)
		return a
	default: // tagRef
		return pyvalue.Ref{ID: binary.BigEndian.Uint64(b), Type: string(b[refID:])}
	}
}

func (p *parser) exception(i int) (any, int) {
	e := new(pyvalue.Exception)
	p.made(e)
	_, _, i = cbor.Head(p.src, i)
	module, i := p.item(i)
	name, i := p.item(i)
	e.Class = pyvalue.Global{Module: module.(string), Name: name.(string)}
	e.Cause = pyvalue.Cause(e.Class)
	_, n, i := cbor.Head(p.src, i)
	e.Args, i = p.items(i, int(n))
	return e, i
}

// shareable reads the item under tag 28, unless somebody who came from
// elsewhere has read it before.
func (p *parser) shareable(i int) (any, int) {
	number, _ := slices.BinarySearchFunc(p.marks, i, func(m mark, i int) int { return m.from - i })
	return p.shared(number), p.marks[number].end
}

// shared returns the item of a mark. All marks before it are read first, if
// they lie where nobody has looked: so no chain of references makes the
// recursion deeper than the item is.
func (p *parser) shared(number int) any {
	if p.memo == nil {
		p.memo = make([]any, len(p.marks))
	}
	for p.read <= number {
		k := p.read
		p.read++
		p.open = k + 1
		v, _ := p.item(p.marks[k].from)
		p.open = 0
		p.memo[k] = v
	}
	return p.memo[number]
}
