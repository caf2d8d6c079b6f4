package objects

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// class is what the objects of type T can do: their methods by name. The tables
// are made once, as the program starts.
type class[T any] struct {
	name    string // in Python
	methods map[string]method[T]
}

// method is a method with its parameters. run gets the arguments as params bound
// them, and returns the result. The error errAnswered says that it has answered,
// or will.
type method[T any] struct {
	params *params
	run    func(o T, c *store.Call, a []store.Item) (store.Item, error)
}

var errAnswered = errors.New("the method has answered")

// replies makes a run of a function that answers by itself, perhaps later.
func replies[T any](f func(o T, c *store.Call)) func(T, *store.Call, []store.Item) (store.Item, error) {
	return func(o T, c *store.Call, _ []store.Item) (store.Item, error) {
		f(o, c)
		return none, errAnswered
	}
}

// repliesTo is replies of a function that has parameters.
func repliesTo[T any](f func(o T, c *store.Call, a []store.Item)) func(T, *store.Call, []store.Item) (store.Item, error) {
	return func(o T, c *store.Call, a []store.Item) (store.Item, error) {
		f(o, c, a)
		return none, errAnswered
	}
}

// tells makes a run of a function that finds out something.
func tells[T any](f func(o T) store.Item) func(T, *store.Call, []store.Item) (store.Item, error) {
	return func(o T, _ *store.Call, _ []store.Item) (store.Item, error) { return f(o), nil }
}

// call carries out c on o.
func (k *class[T]) call(o T, c *store.Call) {
	m, ok := k.methods[c.Method]
	if !ok {
		c.Fail(pyvalue.AttributeError(k.name, c.Method))
		return
	}
	a := c.Args.Pos
	if len(a) != m.params.most || len(c.Args.Named) > 0 { // mostly all are there
		var err error
		if a, err = m.params.bind(k.name, c.Method, c.Args); err != nil {
			c.Fail(err)
			return
		}
	}
	if m.params.form != formFunction && takesLong(o, c) { // containers have no functions that do
		m.answerLater(o, c, a)
		return
	}
	m.answer(o, c, a)
}

// answerLater is answer in a place for long work. The method is a copy, so that
// others need none that outlives them.
func (m method[T]) answerLater(o T, c *store.Call, a []store.Item) {
	c.Long(func() { m.answer(o, c, a) })
}

// answer carries the method out, and answers.
func (m *method[T]) answer(o T, c *store.Call, a []store.Item) {
	v, err := m.run(o, c, a)
	switch {
	case err == nil:
		c.Return(v)
	case !errors.Is(err, errAnswered):
		c.Fail(err)
	}
}

// params are the parameters of a method. CPython words its complaints about
// arguments by how a method is implemented, which is what its form says.
type params struct {
	form        form
	least, most int          // arguments; most is -1 if each number is looked at
	list        []param      // of a function
	defaults    []store.Item // of a function that needs no argument: what it gets without any
	of          string       // the class that a function's complaints name
}

// param is a parameter with a name.
type param struct {
	name      string
	optional  bool
	otherwise store.Item // what it is if it is left out
}

type form uint8

const (
	formExact    form = iota // a C function that takes no arguments, or one
	formCounted              // a C function that takes some
	formSlot                 // what stands behind an operator
	formUnpacked             // the same, with CPython's blank before the words
	formOpen                 // checks its arguments itself
	formOurs                 // for Go, and not known to CPython
	formFunction             // a function of Python's, whose parameters have names
)

func exactly(n int) *params           { return &params{form: formExact, least: n, most: n} }
func between(least, most int) *params { return &params{form: formCounted, least: least, most: most} }
func slot(n int) *params              { return &params{form: formSlot, least: n, most: n} }
func unpacked(n int) *params          { return &params{form: formUnpacked, least: n, most: n} }
func ours(n int) *params              { return &params{form: formOurs, least: n, most: n} }
func open() *params                   { return &params{form: formOpen, most: -1} }

// function are the parameters of a function of Python's. One whose name ends in
// "?" may be left out, and is none then; so may one that ends in "=True" or "=1".
func function(names ...string) *params {
	p := &params{form: formFunction, least: len(names), most: len(names), list: make([]param, len(names))}
	needed := false
	for i, name := range names {
		bare, value, given := strings.Cut(name, "=")
		x := param{name: bare, optional: given}
		switch value {
		case "":
			x.name, x.optional = strings.CutSuffix(name, "?")
		case "True":
			x.otherwise = yes
		case "1":
			x.otherwise = small[1]
		default:
			panic("no default of " + name)
		}
		p.list[i] = x
		needed = needed || !x.optional
		p.defaults = append(p.defaults, x.otherwise)
	}
	if needed {
		p.defaults = nil
	}
	return p
}

// in makes a function's complaints name its class.
func (p *params) in(class string) *params {
	p.of = class
	return p
}

// bind returns the arguments of a call in the order of the parameters, or
// Python's TypeError. The result must not be changed: it may be args.Pos.
func (p *params) bind(class, method string, args store.Args) ([]store.Item, error) {
	n := len(args.Pos)
	switch {
	case p.form == formFunction:
		if p.of != "" {
			method = p.of + "." + method
		}
		return p.bindNames(method, args)
	case p.form == formOpen || n >= p.least && n <= p.most && len(args.Named) == 0:
		return args.Pos, nil
	}
	return nil, p.complain(class, method, args)
}

// complain is the error of a wrong number of arguments.
func (p *params) complain(class, method string, args store.Args) error {
	n := len(args.Pos)
	if len(args.Named) > 0 {
		if p.form == formSlot || p.form == formUnpacked {
			return pyvalue.TypeError("wrapper " + method + "() takes no keyword arguments")
		}
		if p.most == anyNumber {
			return pyvalue.TypeError(method + "() takes no keyword arguments")
		}
		return pyvalue.TypeError(class + "." + method + "() takes no keyword arguments")
	}
	switch p.form {
	case formExact:
		return pyvalue.TypeError(fmt.Sprintf("%s.%s() takes %s (%d given)", class, method, [...]string{"no arguments", "exactly one argument"}[p.most], n))
	case formSlot:
		return pyvalue.TypeError("expected " + plural(p.most) + fmt.Sprintf(", got %d", n))
	case formUnpacked:
		return pyvalue.TypeError(" expected " + plural(p.most) + fmt.Sprintf(", got %d", n))
	}
	return wrongCount(method, n, p.least, p.most)
}

// wrongCount is CPython's complaint of functions that take least to most
// arguments.
func wrongCount(name string, n, least, most int) error {
	bound := ""
	limit := least
	switch {
	case least == most:
	case n < least:
		bound = "at least "
	default:
		bound, limit = "at most ", most
	}
	return pyvalue.TypeError(fmt.Sprintf("%s expected %s%s, got %d", name, bound, plural(limit), n))
}

func plural(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}

// bindArgs binds the arguments of a function, see there.
func bindArgs(method string, args store.Args, names ...string) ([]store.Item, error) {
	return function(names...).bindNames(method, args)
}

// bindNames is bind of a function, as Python does when it calls one.
func (p *params) bindNames(method string, args store.Args) ([]store.Item, error) {
	given := len(args.Pos)
	switch {
	case len(args.Named) > 0:
	case given == len(p.list):
		return args.Pos, nil
	case given == 0 && p.defaults != nil:
		return p.defaults, nil
	}
	if given > len(p.list) {
		return nil, tooMany(method, p.list, given)
	}
	bound := make([]store.Item, len(p.list))
	copy(bound, args.Pos)
	used := 0
	for i := range p.list {
		x := &p.list[i]
		it, named := args.Named[x.name]
		switch {
		case named && i < given:
			return nil, pyvalue.TypeError(fmt.Sprintf("%s() got multiple values for argument '%s'", method, x.name))
		case named:
			bound[i] = it
			used++
		case i < given:
		case !x.optional:
			return nil, pyvalue.TypeError(fmt.Sprintf("%s() missing required argument: '%s'", method, x.name))
		default:
			bound[i] = x.otherwise
		}
	}
	if used == len(args.Named) {
		return bound, nil
	}
	return nil, unexpected(method, args, p.list)
}

func tooMany(method string, list []param, given int) error {
	if len(list) == 0 {
		return pyvalue.TypeError(fmt.Sprintf("%s() takes no arguments (%d given)", method, given))
	}
	most := "takes"
	if list[len(list)-1].optional {
		most = "takes at most"
	}
	return pyvalue.TypeError(fmt.Sprintf("%s() %s %d arguments (%d given)", method, most, len(list), given))
}

// unexpected names the first argument, by the alphabet, that there is no
// parameter for.
func unexpected(method string, args store.Args, list []param) error {
	var extra []string
	for name := range args.Named {
		if !slices.ContainsFunc(list, func(x param) bool { return x.name == name }) {
			extra = append(extra, name)
		}
	}
	return pyvalue.TypeError(fmt.Sprintf("%s() got an unexpected keyword argument '%s'", method, slices.Min(extra)))
}
