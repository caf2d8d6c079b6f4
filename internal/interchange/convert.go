package interchange

import (
	"fmt"
	"reflect"

	"multiproc/internal/codec"
	"multiproc/internal/pyvalue"
)

// FromValue fills the variable that into points to from v, by the rules of
// Plan.Decode. After an error the variable is as it was. It goes by way of the
// item, and takes as long as to encode v and decode it.
func FromValue(v pyvalue.Value, into any, s codec.Importer) error {
	p := reflect.ValueOf(into)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("interchange: FromValue into a %T; give a pointer to a variable", into)
	}
	plan, err := OfType(p.Type().Elem())
	if err != nil {
		return err
	}
	b, err := AppendValue(nil, v)
	if err != nil {
		return err
	}
	return plan.Decode(b, p.UnsafePointer(), s)
}

// ToValue returns from as a value that a manager keeps, by the rules of
// Plan.Append. Nothing of the result shares memory with from, except strings.
func ToValue(from any, s codec.Exporter) (pyvalue.Value, error) {
	switch v := from.(type) {
	case nil, bool, int64, float64, string:
		return v, nil
	case int:
		return int64(v), nil
	}
	b, err := appendAny(nil, from, s)
	if err != nil {
		return nil, err
	}
	return ParseValue(b)
}
