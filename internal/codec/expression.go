package codec

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// A type expression names a type on the wire:
//
//	type   = "*" type | "[]" type | "[" number "]" type | "map[" type "]" type | name
//	name   = "struct{}" | part { part } [ "[" anything with balanced brackets "]" ]
//	part   = any byte above the space except * [ ] ( ) { } ,
//
// A name is a basic type's or a registered one; brackets at its end are part
// of it, as in the name of an instance of a generic type. There are no blanks
// and no leading zeros, so that a type has one expression only.
//
// Expressions come from the wire, and reflect keeps forever what it makes of
// them. Hence the limits, which hold for the sender, too.
const (
	maxExpression = 1024    // bytes
	maxNesting    = 16      // operators in front of a name
	maxArray      = 1 << 20 // elements of an array, all dimensions together, and bytes in it
)

// expressionOf returns the expression that stands for t, or says what to do
// that there is one.
func expressionOf(t reflect.Type) (string, error) {
	s, err := express(t)
	if err != nil {
		return "", err
	}
	// To read it back is the simplest way to hold the sender to the limits.
	if back, err := parseType(s); err != nil {
		return "", fmt.Errorf("%v inside an any: %w", t, err)
	} else if back != t {
		return "", fmt.Errorf("%v inside an any would arrive as %v", t, back)
	}
	return s, nil
}

func express(t reflect.Type) (string, error) {
	if name, ok := registry().nameOf(t); ok {
		return name, nil
	}
	if isHandle(reflect.PointerTo(t)) {
		return "", fmt.Errorf("*%v inside an any has no name on the wire; call mp.RegisterType[*%v](\"a name\") in a package variable or init function", t, t)
	}
	if t.Name() != "" {
		return "", fmt.Errorf("%v inside an any has no name on the wire; call mp.RegisterType[%v]() in a package variable or init function", t, t)
	}
	var before string
	switch t.Kind() {
	case reflect.Pointer:
		before = "*"
	case reflect.Slice:
		before = "[]"
	case reflect.Array:
		before = "[" + strconv.Itoa(t.Len()) + "]"
	case reflect.Map:
		key, err := express(t.Key())
		if err != nil {
			return "", err
		}
		before = "map[" + key + "]"
	default:
		return "", fmt.Errorf("%v inside an any has no name; declare a named type and call mp.RegisterType with it", t)
	}
	elem, err := express(t.Elem())
	return before + elem, err
}

// parseType returns the type that an expression stands for.
func parseType(s string) (reflect.Type, error) {
	if len(s) > maxExpression {
		return nil, Corrupt("a type expression of %d bytes", len(s))
	}
	t, rest, err := parseFront(s, 0)
	if err == nil && rest != "" {
		err = Corrupt("%q after the end", rest)
	}
	if err != nil {
		return nil, fmt.Errorf("type expression %q: %w", s, err)
	}
	return t, nil
}

// parseFront parses the type that s begins with, and returns the rest of s.
func parseFront(s string, nesting int) (t reflect.Type, rest string, err error) {
	if nesting > maxNesting {
		return nil, "", Corrupt("nested deeper than %d levels", maxNesting)
	}
	elem := func(s string) (reflect.Type, string, error) { return parseFront(s, nesting+1) }

	if after, ok := strings.CutPrefix(s, "*"); ok {
		if t, rest, err = elem(after); err == nil {
			t = reflect.PointerTo(t)
		}
		return t, rest, err
	}
	if after, ok := strings.CutPrefix(s, "[]"); ok {
		if t, rest, err = elem(after); err == nil {
			t = reflect.SliceOf(t)
		}
		return t, rest, err
	}
	if after, ok := strings.CutPrefix(s, "map["); ok {
		key, rest, err := elem(after)
		if err != nil {
			return nil, "", err
		}
		if rest, ok = strings.CutPrefix(rest, "]"); !ok || !key.Comparable() {
			return nil, "", Corrupt("%v is no key of a map", key)
		}
		t, rest, err := elem(rest)
		if err != nil {
			return nil, "", err
		}
		return reflect.MapOf(key, t), rest, nil
	}
	if after, ok := strings.CutPrefix(s, "["); ok {
		digits, after, _ := strings.Cut(after, "]")
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || strconv.FormatUint(n, 10) != digits {
			return nil, "", Corrupt("%q is no length of an array", digits)
		}
		t, rest, err := elem(after)
		if err != nil {
			return nil, "", err
		}
		if n > maxArray || n > 0 && cells(t) > maxArray/n {
			return nil, "", Corrupt("an array of more than %d elements or bytes; in an any, use a slice", maxArray)
		}
		return reflect.ArrayOf(int(n), t), rest, nil
	}
	n := nameLength(s)
	t, ok := registry().typeOf(s[:n])
	if !ok {
		// Not corrupt: it can also be the receiver who forgot.
		return nil, "", fmt.Errorf("no type is named %q in this process; call mp.RegisterType before mp.Init", s[:n])
	}
	return t, s[n:], nil
}

// cells returns how much of the bound for arrays t uses up. Elements count also
// if they take no memory, for the hash of an array visits every one of them.
func cells(t reflect.Type) uint64 {
	if t.Kind() == reflect.Array {
		return uint64(max(t.Len(), 1)) * cells(t.Elem())
	}
	return uint64(max(t.Size(), 1))
}

// nameLength returns the length of the name that s begins with, 0 if none.
func nameLength(s string) int {
	const structName = "struct{}"
	if strings.HasPrefix(s, structName) {
		return len(structName)
	}
	n := strings.IndexFunc(s, func(c rune) bool { return c <= ' ' || strings.ContainsRune("*[](){},", c) })
	if n < 0 {
		return len(s)
	}
	if n == 0 || s[n] != '[' || s[:n] == "map" {
		return n
	}
	open := 0
	for i := n; i < len(s); i++ {
		switch s[i] {
		case '[':
			open++
		case ']':
			if open--; open == 0 {
				return i + 1
			}
		}
	}
	return n
}
