package pyvalue

import (
	"slices"
	"unicode"
	"unicode/utf8"
)

// WTF8 returns s in the form in which Python knows it. A Go string may hold any
// bytes; those that are neither UTF-8 nor a lone surrogate of three bytes become
// the lone surrogates U+DC80 to U+DCFF, as Python's "surrogateescape" has it.
// Valid text is returned as it is, at the cost of a scan.
func WTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var out []byte // nil as long as nothing had to be changed
	for i := 0; i < len(s); {
		if _, n := decodeRune(s[i:]); n > 0 {
			if out != nil {
				out = append(out, s[i:i+n]...)
			}
			i += n
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, len(s)+16), s[:i]...)
		}
		out = append(out, 0xed, 0xb0|s[i]>>6&3, 0x80|s[i]&0x3f)
		i++
	}
	if out == nil {
		return s
	}
	return string(out)
}

// decodeRune is utf8.DecodeRuneInString that knows surrogates of three bytes.
// It returns a length of 0 for a byte that begins nothing.
func decodeRune(s string) (rune, int) {
	r, n := utf8.DecodeRuneInString(s)
	if r != utf8.RuneError || n > 1 {
		return r, n
	}
	if len(s) >= 3 && s[0] == 0xed && s[1]&0xe0 == 0xa0 && s[2]&0xc0 == 0x80 {
		return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return 0, 0
}

const hexDigits = "0123456789abcdef"

// quotesFor chooses the quotes of Python's repr: single ones, unless the text
// has those and no double ones.
func quotesFor[T string | []byte](s T) byte {
	single, double := false, false
	for i := range len(s) {
		single = single || s[i] == '\''
		double = double || s[i] == '"'
	}
	if single && !double {
		return '"'
	}
	return '\''
}

// roomFrom is how long a text is for which room is made beforehand: one that grows as
// it is written leaves several times as much garbage as it is long.
const roomFrom = 64 << 10

// appendText appends Python's repr of a str, and stops when there are more than most
// bytes.
func appendText(dst []byte, s string, most int) []byte {
	s = WTF8(s)
	quote := quotesFor(s)
	if len(s) >= roomFrom {
		n := 2
		for i := 0; i < len(s) && len(dst)+n <= most; {
			r, k := decodeRune(s[i:])
			var one [16]byte
			n += len(appendRune(one[:0], r, s[i:i+k], quote))
			i += k
		}
		dst = slices.Grow(dst, n+utf8.UTFMax)
	}
	dst = append(dst, quote)
	for i := 0; i < len(s) && len(dst) <= most; {
		r, n := decodeRune(s[i:])
		dst = appendRune(dst, r, s[i:i+n], quote)
		i += n
	}
	return append(dst, quote)
}

// appendRune appends one character of a str, which is coded so.
func appendRune(dst []byte, r rune, coded string, quote byte) []byte {
	switch {
	case r < 0x80:
		return appendASCII(dst, byte(r), quote)
	case unicode.IsPrint(r):
		return append(dst, coded...)
	}
	return appendEscape(dst, r)
}

// appendASCII appends one character of a str or one byte of bytes.
func appendASCII(dst []byte, c, quote byte) []byte {
	switch {
	case c == quote || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\t':
		return append(dst, '\\', 't')
	case c < ' ' || c >= 0x7f:
		return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(dst, c)
}

func appendEscape(dst []byte, r rune) []byte {
	kind, digits := byte('x'), 2
	if r > 0xff {
		kind, digits = 'u', 4
	}
	if r > 0xffff {
		kind, digits = 'U', 8
	}
	dst = append(dst, '\\', kind)
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, hexDigits[r>>(4*i)&15])
	}
	return dst
}

// appendBytes appends Python's repr of bytes, and stops when there are more than most
// bytes.
func appendBytes(dst, b []byte, most int) []byte {
	quote := quotesFor(b)
	if len(b) >= roomFrom {
		n := 3
		for i := 0; i < len(b) && len(dst)+n <= most; i++ {
			var one [4]byte
			n += len(appendASCII(one[:0], b[i], quote))
		}
		dst = slices.Grow(dst, n)
	}
	dst = append(dst, 'b', quote)
	for i := 0; i < len(b) && len(dst) <= most; i++ {
		dst = appendASCII(dst, b[i], quote)
	}
	return append(dst, quote)
}

// validText reports whether s, which WTF8 returned, has no surrogates.
func validText(s string) bool { return utf8.ValidString(s) }
