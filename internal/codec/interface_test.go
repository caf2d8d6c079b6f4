package codec_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"multiproc/internal/codec"
	"multiproc/internal/mperr"
)

type (
	animal interface{ Sound() string }
	dog    struct{ Name string }
	cat    struct{ Lives int }
	eel    int
	fault  struct{ Code int }
	zoo    struct {
		One  animal
		None animal
		Many []animal
		By   map[string]animal
		Err  error
		Errs []error
		Any  any
	}
)

func (d dog) Sound() string    { return d.Name + " barks" }
func (c *cat) Sound() string   { return "miaow" }
func (eel) Sound() string      { return "" }
func (f *fault) Error() string { return fmt.Sprintf("fault %d", f.Code) }

var errSold = errors.New("sold out")

func init() {
	codec.RegisterType(reflect.TypeFor[dog](), "")
	codec.RegisterType(reflect.TypeFor[*cat](), "")
	codec.RegisterType(reflect.TypeFor[*fault](), "zoo.fault")
	mperr.Register("codec_test.errSold", errSold)
}

// What is in an interface travels if its type was registered, an error in any
// case.
func TestInterfaces(t *testing.T) {
	sent := zoo{
		One: dog{"rex"}, Many: []animal{&cat{9}, nil, &dog{"fido"}}, By: map[string]animal{"x": dog{"y"}},
		Err: fmt.Errorf("seat 7: %w", errSold), Errs: []error{nil, io.EOF, &fault{3}, fmt.Errorf("open: %w", syscall.ENOENT)},
		Any: errors.New("plain"),
	}
	got := travel(t, sent, nil)
	if !reflect.DeepEqual(got.One, sent.One) || got.None != nil || !reflect.DeepEqual(got.Many, sent.Many) || !reflect.DeepEqual(got.By, sent.By) {
		t.Errorf("got %+v, want %+v", got, sent)
	}
	if got.Err.Error() != "seat 7: sold out" || !errors.Is(got.Err, errSold) || errors.Is(got.Err, io.EOF) {
		t.Errorf("got the error %v", got.Err)
	}
	var f *fault
	if len(got.Errs) != 4 || got.Errs[0] != nil || got.Errs[1] != io.EOF || !errors.As(got.Errs[2], &f) || f.Code != 3 ||
		!errors.Is(got.Errs[3], fs.ErrNotExist) || !errors.Is(got.Errs[3], syscall.ENOENT) || got.Errs[3].Error() != "open: no such file or directory" {
		t.Errorf("got the errors %#v", got.Errs)
	}
	if err, ok := got.Any.(error); !ok || err.Error() != "plain" {
		t.Errorf("got %#v in an any", got.Any)
	}
	if e := travel(t, error((*fault)(nil)), nil); e == nil || e.(*fault) != nil {
		t.Errorf("a nil pointer in an error arrived as %#v", e)
	}
}

func TestInterfaceRefuses(t *testing.T) {
	p := plan[animal](t)
	var a animal = eel(1)
	const want = "codec_test.animal: codec_test.eel inside an any has no name on the wire; call mp.RegisterType[codec_test.eel]() in a package variable or init function"
	if _, err := p.Append(nil, &a, nil); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	// Bytes that hold another type than the interface takes.
	var x any = "text"
	b, err := plan[any](t).Append(nil, &x, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Plan.Decode(b, unsafe.Pointer(&a), nil); !errors.Is(err, mperr.ErrCorrupt) || !strings.Contains(err.Error(), "string for codec_test.animal") {
		t.Errorf("a string for an animal: %v", err)
	}
	if a != eel(1) {
		t.Errorf("after the error there is %v", a)
	}
}
