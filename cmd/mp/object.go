package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"multiproc/manager"
)

// object is a named object as a flag: jobs=Queue:100.
type object manager.Preset

// UnmarshalText implements encoding.TextUnmarshaler. The arguments are JSON,
// separated by commas.
func (o *object) UnmarshalText(text []byte) error {
	name, what, ok := strings.Cut(string(text), "=")
	typ, args, _ := strings.Cut(what, ":")
	if !ok || name == "" || typ == "" {
		return fmt.Errorf("%q: want NAME=TYPE or NAME=TYPE:ARGUMENTS, such as jobs=Queue:100", text)
	}
	values, err := parse([]byte("[" + args + "]"))
	if err != nil {
		return fmt.Errorf("%q: the arguments %q: %w", text, args, err)
	}
	*o = object{Name: name, Type: typ}
	for _, v := range values.([]any) {
		switch v := v.(type) {
		case int:
			o.Args = append(o.Args, int64(v))
		case []any, map[string]any:
			return fmt.Errorf("%q: an argument is a number, a text, a truth value or null", text)
		default:
			o.Args = append(o.Args, v)
		}
	}
	return nil
}

// proxies are Python's proxies for types where that of an unknown type would do
// less: it has no operators and no attributes.
var proxies = map[string]string{
	"dict": "DictProxy", "list": "ListProxy", "Namespace": "NamespaceProxy", "Value": "ValueProxy", "Array": "ArrayProxy",
	"Lock": "AcquirerProxy", "RLock": "AcquirerProxy", "Semaphore": "AcquirerProxy", "BoundedSemaphore": "AcquirerProxy",
	"Condition": "ConditionProxy", "Event": "EventProxy", "Barrier": "BarrierProxy",
}

func presets(all []object) []manager.Preset {
	var out []manager.Preset
	for _, o := range all {
		out = append(out, manager.Preset(o))
	}
	return out
}

// parse reads one JSON value. Integers stay integers.
func parse(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("this is no JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value: %s", text)
	}
	return numbers(v)
}

// numbers makes numbers of their texts.
func numbers(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			n, err := v.Int64()
			return int(n), err
		}
		return v.Float64()
	case []any:
		for i := range v {
			var err error
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			var err error
			if v[k], err = numbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// plain makes of a shared value one that encoding/json writes: the keys of a
// JSON object are texts, so a key of another type becomes the JSON of it.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			text, ok := k.(string)
			if !ok {
				b, err := json.Marshal(k)
				if err != nil {
					return nil, err
				}
				text = string(b)
			}
			var err error
			if out[text], err = plain(e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case []any:
		out := slices.Clone(v)
		for i := range out {
			var err error
			if out[i], err = plain(out[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// line writes a value as one line of JSON.
func line(v any) ([]byte, error) {
	v, err := plain(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(v)
	return b.Bytes(), err
}
