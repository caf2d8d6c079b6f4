//go:build linux

package mp_test

import (
	"context"
	"testing"

	"multiproc/mp"
)

// traceKey is where a trace id is in a context.
type traceKey struct{}

func init() {
	mp.RegisterCarrier(mp.Carrier{
		Inject: func(ctx context.Context, m map[string]string) {
			if id, ok := ctx.Value(traceKey{}).(string); ok {
				m["trace"] = id
			}
		},
		Extract: func(ctx context.Context, m map[string]string) context.Context {
			return context.WithValue(ctx, traceKey{}, m["trace"])
		},
	})
	mp.RegisterCarrier(mp.Carrier{}) // does nothing, and no harm
}

func trace(ctx context.Context, _ mp.None) (string, error) {
	id, _ := ctx.Value(traceKey{}).(string)
	return id, nil
}

var Trace = mp.Func(trace)

func traceOfChild(ctx context.Context, _ mp.None) (string, error) {
	id, err := Trace.Run(ctx, mp.None{})
	return "child's " + id, err
}

var TraceOfChild = mp.Func(traceOfChild)

func TestCarrier(t *testing.T) {
	for id, want := range map[string]string{"": "", "4711": "4711"} {
		ctx := t.Context()
		if id != "" {
			ctx = context.WithValue(ctx, traceKey{}, id)
		}
		if got, err := Trace.Run(ctx, mp.None{}); got != want || err != nil {
			t.Errorf("%q: %q, %v", id, got, err)
		}
		if got, err := TraceOfChild.Run(ctx, mp.None{}); got != "child's "+want || err != nil {
			t.Errorf("%q: %q, %v", id, got, err)
		}
	}
}
