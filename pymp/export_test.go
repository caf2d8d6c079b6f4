package pymp

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"multiproc/internal/pyvalue"
)

// Replied is what ParseReply made of a reply for one type.
type Replied struct {
	Value   any // as the type has it
	Err     error
	Proxies int // that are open
}

// ParseReply takes a reply apart and fills values of several types from it, as
// Call does, without a server: the objects of all proxies are there.
func ParseReply(reply []byte) (list []Replied) {
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	options, _ := collect(nil)
	for _, t := range []reflect.Type{
		reflect.TypeFor[any](), reflect.TypeFor[*Proxy](), reflect.TypeFor[[]any](), reflect.TypeFor[map[string]int](), reflect.TypeFor[*pyvalue.Dict](),
		reflect.TypeFor[map[string]any](), reflect.TypeFor[[]*Proxy](), reflect.TypeFor[struct{ P, Q *Proxy }](),
	} {
		m, _ := newManager(address{"unix", "/nowhere"}, []byte("k"), options)
		m.closed = true // so that nothing is given back
		s := &message{ctx: ctx, m: m, attach: func(p *Proxy, r reference) error {
			m.fill(p, r.typeid, r.ident, r.exposed, r.class)
			return nil
		}}
		o := origin{typeid: "list", method: "get", ident: "7f"}
		v := reflect.New(t)
		a, err := s.answer(reply, o)
		if err == nil {
			err = a.into(v.Interface(), o)
		}
		if err != nil && (err.Error() == "" || len(m.live) > 0) {
			panic(fmt.Sprintf("the error %q, and %d proxies that nobody closes", err, len(m.live)))
		}
		list = append(list, Replied{v.Elem().Interface(), err, len(m.live)})
	}
	return list
}
