package codec

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"
	"syscall"
)

// Open is a value that stands for an open file or socket of this process.
type Open interface {
	syscall.Conn
	io.Closer
}

// File is the Handle that stands in a message for a value of a type of another
// package, such as *os.File. Such a value travels as a descriptor of its own
// for the same open file.
type File struct {
	typ  reflect.Type
	from func(*os.File) (Open, error)
	open Open
}

// fileTypes are the types that RegisterFile was told of: reflect.Type to the
// function that makes a value of a file.
var fileTypes sync.Map

// RegisterFile lets values of the pointer type T travel in the native dialect,
// also inside an any, as the open files that they are. from makes such a value
// of a file, which it takes over even if it fails. Call it in package
// initialization.
func RegisterFile[T Open](from func(*os.File) (T, error)) {
	t := reflect.TypeFor[T]()
	fileTypes.Store(t, func(f *os.File) (Open, error) {
		v, err := from(f)
		if err != nil {
			return nil, err // and not an interface that holds nil
		}
		return v, nil
	})
	if err := registry().add(t.Elem(), t.Elem().String()); err != nil {
		panic("codec.RegisterFile: " + err.Error())
	}
}

// fileOf is the function with which t was registered, nil for other types.
func fileOf(t reflect.Type) (from func(*os.File) (Open, error)) {
	if v, ok := fileTypes.Load(t); ok {
		from = v.(func(*os.File) (Open, error))
	}
	return from
}

// MultiprocHandle implements Handle: no place carries files.
func (*File) MultiprocHandle() Carrier { return nil }

// Conn gives access to the descriptor. It returns an error for a zero value,
// whose own methods may panic.
func (f *File) Conn() (syscall.RawConn, error) {
	if reflect.ValueOf(f.open).Elem().IsZero() {
		return nil, os.ErrInvalid
	}
	return f.open.SyscallConn()
}

// Name is the name of the file, empty if the value has none.
func (f *File) Name() string {
	if v, ok := f.open.(interface{ Name() string }); ok {
		return v.Name()
	}
	return ""
}

// Fill makes the value of a fresh File. It takes file over, also if it fails.
func (f *File) Fill(file *os.File) (err error) {
	if f.open, err = f.from(file); err != nil {
		return fmt.Errorf("%v: %w", f.typ, err)
	}
	return nil
}

// Close closes the value.
func (f *File) Close() error { return f.open.Close() }

// String names the value for messages.
func (f *File) String() string {
	s := f.typ.String()
	if f.open == nil || reflect.ValueOf(f.open).Elem().IsZero() {
		return s
	}
	if name := f.Name(); name != "" {
		s += " " + name
	}
	return s
}

// refusedFile is why values of t, which stand for open files, cannot travel; nil
// if they can, and for other types.
func (d *Dialect) refusedFile(t reflect.Type) *refusal {
	switch t.Kind() {
	case reflect.Struct:
		if p := reflect.PointerTo(t); fileOf(p) != nil || isSocket(p) {
			return d.refuse(t, "use *%v", t)
		}
	case reflect.Pointer:
		known := fileOf(t) != nil
		switch {
		case !d.Memory && (known || isSocket(t)):
			return d.refuse(t, "its descriptor stays on this machine, with this program: send it in the arguments or the result of a task, "+
				"or through a pipe or a queue made without mp.In")
		case !known && isSocket(t):
			return d.refuse(t, `sockets travel in programs that import _ "multiproc/mp/mpnet"`)
		}
	}
	return nil
}

// isSocket reports whether t is a type that multiproc/mp/mpnet registers. This
// package does not link net, and knows these types by their names.
func isSocket(t reflect.Type) bool {
	if t.Elem().PkgPath() != "net" {
		return false
	}
	switch t.Elem().Name() {
	case "TCPListener", "UnixListener", "TCPConn", "UnixConn", "UDPConn", "IPConn":
		return true
	}
	return false
}
