package pyvalue

import (
	"strings"
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
func quotesFor(s string) byte {
	if strings.IndexByte(s, '\'') >= 0 && strings.IndexByte(s, '"') < 0 {
		return '"'
	}
	return '\''
}

// appendText appends Python's repr of a str.
func appendText(dst []byte, s string) []byte {
	s = WTF8(s)
	quote := quotesFor(s)
	dst = append(dst, quote)
	for i := 0; i < len(s); {
		r, n := decodeRune(s[i:])
		switch {
		case r < 0x80:
			dst = appendASCII(dst, byte(r), quote)
		case unicode.IsPrint(r):
			dst = append(dst, s[i:i+n]...)
		default:
			dst = appendEscape(dst, r)
		}
		i += n
	}
	return append(dst, quote)
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

// appendBytes appends Python's repr of bytes.
func appendBytes(dst, b []byte) []byte {
	quote := quotesFor(string(b))
	dst = append(dst, 'b', quote)
	for _, c := range b {
		dst = appendASCII(dst, c, quote)
	}
	return append(dst, quote)
}

// validText reports whether s, which WTF8 returned, has no surrogates.
func validText(s string) bool { return utf8.ValidString(s) }
