package pyvalue

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxRepr bounds what Repr returns; a small value may hold so many references
// to its own parts that its text would fill any memory.
const maxRepr = 16 << 20

// Repr returns Python's repr of v. What contains itself is "..." within itself.
// Objects of classes that are known by name only are "<module.Class object>",
// exceptions of Python's own "KeyError('x')". A text longer than 16 MiB is cut.
func Repr(v Value) string { return ReprWithin(v, maxRepr) }

// ReprWithin returns the beginning of Repr(v), in about limit bytes; it costs
// no more than that. A text that was cut ends in "...".
func ReprWithin(v Value, limit int) string {
	p := printer{limit: limit}
	p.add(v, 0)
	if p.cut {
		return strings.ToValidUTF8(string(p.dst[:min(limit, len(p.dst))]), "") + "..."
	}
	return string(p.dst)
}

// Str returns Python's str(v): the text itself of a str, its repr of anything
// else.
func Str(v Value) string {
	if s, ok := v.(string); ok {
		return s
	}
	return Repr(v)
}

// printer writes reprs.
type printer struct {
	dst   []byte
	limit int
	cut   bool
	path  []ID // the containers that are being written, to find cycles
}

func (p *printer) add(v Value, depth int) {
	if p.cut || len(p.dst) > p.limit {
		p.cut = true
		return
	}
	switch v := v.(type) {
	case nil:
		p.text("None")
	case bool:
		if v {
			p.text("True")
		} else {
			p.text("False")
		}
	case int64:
		p.dst = strconv.AppendInt(p.dst, v, 10)
	case *big.Int:
		p.integer(v)
	case float64:
		p.dst = AppendFloat(p.dst, v)
	case complex128:
		p.complex(v)
	case string:
		p.dst = appendText(p.dst, p.head(v), p.limit)
		p.cut = p.cut || len(p.dst) > p.limit
	case []byte:
		p.bytes(v)
	case Global:
		if isSingleton(v) {
			p.text(v.Name)
		} else {
			p.text("<class '" + className(v) + "'>")
		}
	case Ref:
		p.text("<" + proxyName(v) + " object, typeid '" + v.Type + "' at 0x" + strconv.FormatUint(v.ID, 16) + ">")
	default:
		p.nested(v, depth)
	}
}

func (p *printer) text(s string) { p.dst = append(p.dst, s...) }

// head returns what of a text can matter within the limit.
func (p *printer) head(s string) string {
	if room := max(0, p.limit-len(p.dst)+4); len(s) > room {
		p.cut = true
		return s[:room]
	}
	return s
}

func (p *printer) bytes(b []byte) {
	if room := max(0, p.limit-len(p.dst)+4); len(b) > room {
		p.cut = true
		b = b[:room]
	}
	p.dst = appendBytes(p.dst, b, p.limit)
	p.cut = p.cut || len(p.dst) > p.limit
}

// nested writes a container, and ends cycles and what is nested too deeply.
func (p *printer) nested(v Value, depth int) {
	id, ok := Identity(v)
	if ok {
		for _, open := range p.path {
			if open == id {
				p.text(ellipsis(v))
				return
			}
		}
		p.path = append(p.path, id)
		defer func() { p.path = p.path[:len(p.path)-1] }()
	}
	if depth > MaxDepth {
		p.text("...")
		return
	}
	p.container(v, depth+1)
}

// ellipsis is what Python writes for a container within itself.
func ellipsis(v Value) string {
	switch v.(type) {
	case *List:
		return "[...]"
	case Tuple:
		return "(...)"
	case *Dict:
		return "{...}"
	}
	return "..."
}

func (p *printer) container(v Value, depth int) {
	switch v := v.(type) {
	case Tuple:
		p.tuple(v, depth)
	case *List:
		p.items("[", v.Items, "]", depth)
	case *Dict:
		p.entries(v.Entries, depth)
	case *Set:
		p.set("", v.Items, "", "set()", depth)
	case *FrozenSet:
		p.set("frozenset(", v.Items, ")", "frozenset()", depth)
	case *ByteArray:
		p.text("bytearray(")
		p.bytes(v.B)
		p.text(")")
	case Slice:
		p.items("slice(", []Value{v.Start, v.Stop, v.Step}, ")", depth)
	case Range:
		parts := []Value{v.Start, v.Stop, v.Step}
		if one, ok := v.Step.(int64); ok && one == 1 {
			parts = parts[:2]
		}
		p.items("range(", parts, ")", depth)
	case *Exception:
		p.text(v.Class.Name)
		p.items("(", v.Args, ")", depth)
	case *Object:
		p.object(v, depth)
	default:
		p.text("<" + TypeName(v) + ">")
	}
}

func (p *printer) items(open string, items []Value, end string, depth int) {
	p.text(open)
	for i, v := range items {
		if p.cut {
			return
		}
		if i > 0 {
			p.text(", ")
		}
		p.add(v, depth)
	}
	p.text(end)
}

func (p *printer) tuple(t Tuple, depth int) {
	if len(t) == 1 {
		p.items("(", t, ",)", depth)
		return
	}
	p.items("(", t, ")", depth)
}

func (p *printer) set(open string, items []Value, end, empty string, depth int) {
	if len(items) == 0 {
		p.text(empty)
		return
	}
	p.items(open+"{", items, "}"+end, depth)
}

func (p *printer) entries(entries []Entry, depth int) {
	p.text("{")
	for i, e := range entries {
		if p.cut {
			return
		}
		if i > 0 {
			p.text(", ")
		}
		p.add(e.Key, depth)
		p.text(": ")
		p.add(e.Value, depth)
	}
	p.text("}")
}

func (p *printer) object(o *Object, depth int) {
	class, ok := o.Func.(Global)
	if args, isTuple := o.Args.(Tuple); ok && isTuple && isBuiltinError(class) {
		p.text(class.Name)
		p.items("(", args, ")", depth)
		return
	}
	p.text("<" + className(classOf(o)) + " object>")
}

// isBuiltinError goes by the name: Python's own classes of exceptions end thus.
func isBuiltinError(g Global) bool {
	return g.Module == "builtins" && (strings.HasSuffix(g.Name, "Error") || strings.HasSuffix(g.Name, "Exception") ||
		strings.HasSuffix(g.Name, "Warning") || g.Name == "StopIteration" || g.Name == "KeyboardInterrupt" || g.Name == "SystemExit")
}

// isSingleton reports whether a name is that of a value, and of no class or
// function: Python pickles these two so.
func isSingleton(g Global) bool {
	return g.Module == "builtins" && (g.Name == "Ellipsis" || g.Name == "NotImplemented")
}

// className is the full name, without the module of Python's own classes.
func className(g Global) string {
	if g.Module == "builtins" || g.Module == "" {
		return g.Name
	}
	return g.String()
}

// maxDigits is how many digits CPython converts to decimal; more take too long.
const maxDigits = 4300

func (p *printer) integer(x *big.Int) {
	if x.BitLen() > maxDigits*10/3 {
		p.text("<int of " + strconv.Itoa(x.BitLen()) + " bits>")
		return
	}
	p.dst = x.Append(p.dst, 10)
}

// complex writes (1+2j), or 2j if the real part is a positive zero.
func (p *printer) complex(c complex128) {
	re, im := real(c), imag(c)
	if re == 0 && !math.Signbit(re) {
		p.dst = append(appendPart(p.dst, im), 'j')
		return
	}
	p.dst = appendPart(append(p.dst, '('), re)
	if !math.Signbit(im) || math.IsNaN(im) {
		p.dst = append(p.dst, '+')
	}
	p.dst = append(appendPart(p.dst, im), 'j', ')')
}

// appendPart is AppendFloat without the ".0" of whole numbers.
func appendPart(dst []byte, f float64) []byte {
	n := len(dst)
	dst = AppendFloat(dst, f)
	return append(dst[:n], strings.TrimSuffix(string(dst[n:]), ".0")...)
}

// AppendFloat appends Python's repr of a float: the shortest digits that give it
// back, with an exponent below 1e-4 and from 1e16 on.
func AppendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if f == math.Trunc(f) {
		dst = append(dst, ".0"...)
	}
	return dst
}
