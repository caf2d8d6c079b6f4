//go:build linux

package mp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"multiproc/mp"
)

// Nil and empty are two things, as the whole of a message and inside of one, on
// every way that a value can take.

// hollow has both at every depth.
type hollow struct {
	Nil, Empty       []byte
	NilInts, Ints    []int
	NilMap, Map      map[string][]byte
	Raw, EmptyRaw    json.RawMessage
	Pointer, ToNil   *[]byte
	Any, AnyNil      any
	Slices           [][]byte
	Deep             map[string]any
	NilText, NoText  []string
	Arrays, NoArrays [][2]int
}

func newHollow() hollow {
	none := []byte(nil)
	return hollow{
		Empty: []byte{}, Ints: []int{}, Map: map[string][]byte{"nil": nil, "empty": {}},
		EmptyRaw: json.RawMessage{}, ToNil: &none, AnyNil: none, Slices: [][]byte{nil, {}},
		Deep: map[string]any{"nil": none, "empty": []byte{}, "list": []any{none, []byte{}, []int(nil), []int{}}}, NoText: []string{}, NoArrays: [][2]int{},
	}
}

// looks writes a value so that nil and empty look different.
func looks(v any) string {
	s := fmt.Sprintf("%#v", v)
	if h, ok := v.(hollow); ok && h.ToNil != nil {
		p := h.ToNil
		h.ToNil = nil
		s = fmt.Sprintf("%#v and a pointer to %#v", h, *p)
	}
	return s
}

func wantNils[T any](t *testing.T, way string, got, want T) {
	t.Helper()
	if g, w := looks(got), looks(want); g != w {
		t.Errorf("%s:\ngot  %s\nwant %s", way, g, w)
	}
}

func echoBytes(_ context.Context, b []byte) ([]byte, error)                 { return b, nil }
func echoRaw(_ context.Context, b json.RawMessage) (json.RawMessage, error) { return b, nil }
func echoHollow(_ context.Context, h hollow) (hollow, error)                { return h, nil }
func echoAny(_ context.Context, x any) (any, error)                         { return x, nil }

var (
	taskEchoBytes  = mp.Func(echoBytes)
	taskEchoRaw    = mp.Func(echoRaw)
	taskEchoHollow = mp.Func(echoHollow)
	taskEchoAny    = mp.Func(echoAny)
)

func TestNilIsNotEmptyInTasks(t *testing.T) {
	for _, b := range [][]byte{nil, {}, {0}, {1}} {
		wantNils(t, "task", get(taskEchoBytes.Run(t.Context(), b))(t), b)
		wantNils(t, "task of raw messages", get(taskEchoRaw.Run(t.Context(), b))(t), json.RawMessage(b))
	}
	for _, x := range []any{nil, []byte(nil), []byte{}, []int(nil), []int{}, map[string]any(nil), map[string]any{}} {
		wantNils(t, "task of any", get(taskEchoAny.Run(t.Context(), x))(t), x)
	}
	wantNils(t, "task of a struct", get(taskEchoHollow.Run(t.Context(), newHollow()))(t), newHollow())
}

func TestNilIsNotEmpty(t *testing.T) { everywhere(t, testNilIsNotEmpty) }

func testNilIsNotEmpty(t *testing.T, in ...mp.Option) {
	nilThroughQueue(t, []byte(nil), in...)
	nilThroughQueue(t, []byte{}, in...)
	nilThroughQueue(t, json.RawMessage(nil), in...)
	nilThroughQueue(t, json.RawMessage{}, in...)
	nilThroughQueue(t, []string(nil), in...)
	nilThroughQueue(t, []string{}, in...)
	nilThroughQueue(t, map[string]int(nil), in...)
	nilThroughQueue(t, map[string]int{}, in...)
	h := newHollow()
	if len(in) == 0 {
		nilThroughQueue(t, any([]byte(nil)))
		nilThroughQueue(t, any([]int{}))
	} else {
		// In a place an any holds what every language has: all nils are one.
		h.AnyNil, h.ToNil = nil, nil
		h.Deep = map[string]any{"nil": nil, "empty": []byte{}, "list": []any{nil, []byte{}, []any{}}}
	}
	nilThroughQueue(t, h, in...)
}

func nilThroughQueue[T any](t *testing.T, v T, in ...mp.Option) {
	t.Helper()
	ctx := t.Context()
	q := queue[T](t, 20, in...)
	must(t, q.Put(ctx, v))
	wantNils(t, "Get", get(q.Get(ctx))(t), v)
	must(t, q.TryPut(ctx, v))
	wantNils(t, "TryGet", get(q.TryGet(ctx))(t), v)
	get(q.PutBatch(ctx, []T{v, v}))(t)
	for _, got := range get(q.GetBatch(ctx, 2))(t) {
		wantNils(t, "GetBatch", got, v)
	}
	must(t, q.Put(ctx, v))
	must(t, q.CloseWrite(ctx))
	for got, err := range q.Drain(ctx) {
		must(t, err)
		wantNils(t, "All", got, v)
	}
}

func TestNilIsNotEmptyInPipes(t *testing.T) {
	a, b := pipe[[]byte, json.RawMessage](t)
	ctx := t.Context()
	for _, v := range [][]byte{nil, {}, {7}} {
		must(t, a.Send(ctx, v))
		wantNils(t, "Recv", get(b.Recv(ctx))(t), v)
		must(t, b.Send(ctx, v))
		wantNils(t, "TryRecv", get(a.TryRecv())(t), json.RawMessage(v))
		must(t, a.Send(ctx, v))
		if got := get(mp.RecvAppend(ctx, b, []byte("x")))(t); string(got) != "x"+string(v) {
			t.Errorf("RecvAppend of %#v: %q", v, got)
		}
	}
	if _, err := b.TryRecv(); !errors.Is(err, mp.ErrEmpty) {
		t.Errorf("after all: %v", err)
	}
}
