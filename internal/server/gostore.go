package server

import (
	"fmt"
	"math/big"
	"os"

	"multiproc/internal/budget"
	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// The methods of the store itself, which is object 0 for Go clients. They
// never wait, but for constructors of the program's own types.

// storeCall carries out a method of the store.
func (g *goSession) storeCall(c *goCall, method string, args []store.Item) {
	m, ok := storeMethods[method]
	if !ok {
		c.Fail(pyvalue.AttributeError("manager", method))
		return
	}
	if len(args) != m.args {
		c.Fail(pyvalue.TypeError(fmt.Sprintf("%s takes %d arguments, not %d", method, m.args, len(args))))
		return
	}
	values := make([]pyvalue.Value, len(args))
	for i, a := range args {
		values[i] = a.Value()
	}
	answer := func() {
		v, err := m.run(&storeRequest{g, &c.loan}, values)
		if err != nil {
			c.Fail(err)
			return
		}
		c.Return(store.Of(v), false)
		if method == "shutdown" {
			g.s.background(method, g.shutdown)
		}
	}
	if m.makes {
		if typeid, ok := values[0].(string); ok && g.s.program.Slow(typeid) {
			go func() {
				if err := g.s.store.Safely(method, answer); err != nil {
					c.Fail(err)
				}
			}()
			return
		}
	}
	g.s.weighty(m.all && g.s.store.Size() > manyObjects, answer)
}

// storeRequest is a session with the loan of the call under way.
type storeRequest struct {
	*goSession
	loan *budget.Loan
}

type storeMethod struct {
	args  int
	makes bool // an object: its constructor may run the program's code
	run   func(g *storeRequest, args []pyvalue.Value) (pyvalue.Value, error)
	all   bool // looks at all objects
}

var storeMethods = map[string]storeMethod{
	"open":     {3, true, (*storeRequest).open, false},
	"create":   {2, true, (*storeRequest).create, false},
	"attach":   {1, false, (*storeRequest).attach, false},
	"release":  {1, false, (*storeRequest).release, false},
	"ticket":   {1, false, (*storeRequest).ticket, false},
	"redeem":   {1, false, (*storeRequest).redeem, false},
	"forget":   {1, false, (*storeRequest).forget, false},
	"names":    {0, false, (*storeRequest).names, true},
	"list":     {0, false, (*storeRequest).list, true},
	"count":    {0, false, (*storeRequest).count, true},
	"debug":    {0, false, (*storeRequest).debug, true},
	"ping":     {0, false, (*storeRequest).ping, false},
	"info":     {0, false, (*storeRequest).info, true},
	"shutdown": {0, false, (*storeRequest).ping, false}, // and what comes after the answer
}

// open finds the object of a name or makes it: [kind, name or null, [args]].
func (g *storeRequest) open(args []pyvalue.Value) (pyvalue.Value, error) {
	kind, ok := args[0].(string)
	name, named := args[1].(string)
	ctor, isList := args[2].(*pyvalue.List)
	if !ok || !isList || !named && args[1] != nil {
		return nil, pyvalue.TypeError("open takes a kind, a name or none, and a list of arguments")
	}
	id, typ, created, err := g.session.Open(kind, name, constructorArgs(ctor, g.loan))
	if err != nil {
		return nil, err
	}
	return listOf(wireID(id), typ.ID, created, g.capacity(id)), nil
}

// constructorArgs are the arguments in a list.
func constructorArgs(l *pyvalue.List, loan *budget.Loan) (args store.Args) {
	args.Loan = loan
	for _, v := range l.Items {
		args.Pos = append(args.Pos, store.Of(v))
	}
	return args
}

func listOf(items ...pyvalue.Value) pyvalue.Value { return &pyvalue.List{Items: items} }

// wireID is an object's id as a value.
func wireID(id uint64) pyvalue.Value { return pyvalue.Uint(id) }

func parseID(v pyvalue.Value) (uint64, error) {
	switch id := v.(type) {
	case int64:
		if id > 0 {
			return uint64(id), nil
		}
	case *big.Int:
		if id.IsUint64() {
			return id.Uint64(), nil
		}
	}
	return 0, pyvalue.TypeError("want the id of an object, or a ticket")
}

// capacity is how much a queue holds; 0 for what has no bound.
func (g *goSession) capacity(id uint64) pyvalue.Value { return int64(g.s.store.Cap(id)) }

// create makes an object as a Python client does: [typeid, [args]].
func (g *storeRequest) create(args []pyvalue.Value) (pyvalue.Value, error) {
	typeid, ok := args[0].(string)
	ctor, isList := args[1].(*pyvalue.List)
	if !ok || !isList {
		return nil, pyvalue.TypeError("create takes a typeid and a list of arguments")
	}
	id, typ, err := g.session.Create(typeid, constructorArgs(ctor, g.loan))
	if err != nil {
		return nil, err
	}
	return listOf(wireID(id), typ.ID), nil
}

// attach takes a reference to an object.
func (g *goSession) attach(args []pyvalue.Value) (pyvalue.Value, error) {
	id, err := parseID(args[0])
	if err != nil {
		return nil, err
	}
	typ, err := g.session.Incref(id)
	if err != nil {
		return nil, err
	}
	return listOf(typ.ID, g.capacity(id)), nil
}

// release gives a reference back.
func (g *goSession) release(args []pyvalue.Value) (pyvalue.Value, error) {
	id, err := parseID(args[0])
	if err != nil {
		return nil, err
	}
	return nil, g.session.Decref(id)
}

// ticket lets one other session take a reference to an object, however long
// that takes it.
func (g *goSession) ticket(args []pyvalue.Value) (pyvalue.Value, error) {
	id, err := parseID(args[0])
	if err != nil {
		return nil, err
	}
	ticket, err := g.session.Ticket(id)
	return wireID(ticket), err
}

// redeem takes the reference that a ticket stands for.
func (g *goSession) redeem(args []pyvalue.Value) (pyvalue.Value, error) {
	ticket, err := parseID(args[0])
	if err != nil {
		return nil, err
	}
	id, typ, err := g.session.Redeem(ticket)
	if err != nil {
		return nil, err
	}
	return listOf(wireID(id), typ.ID, g.capacity(id)), nil
}

// forget takes an object its name.
func (g *goSession) forget(args []pyvalue.Value) (pyvalue.Value, error) {
	name, ok := args[0].(string)
	if !ok {
		return nil, pyvalue.TypeError("forget takes a name")
	}
	return nil, g.s.store.Forget(name)
}

// names lists the objects that have a name.
func (g *storeRequest) names([]pyvalue.Value) (pyvalue.Value, error) {
	if err := g.loan.Take(g.s.store.NamesCost()); err != nil {
		return nil, err
	}
	var all []pyvalue.Value
	for _, n := range g.s.store.Names() {
		all = append(all, listOf(n.Name, n.Type.ID, wireID(n.ID)))
	}
	return listOf(all...), nil
}

// list describes the objects that have a name: [name, type, id, items or null,
// capacity, calls that wait in it] each.
func (g *storeRequest) list([]pyvalue.Value) (pyvalue.Value, error) {
	if err := g.loan.Take(2 * g.s.store.NamesCost()); err != nil {
		return nil, err
	}
	var all []pyvalue.Value
	for _, n := range g.s.store.List() {
		var size pyvalue.Value
		if n.Size >= 0 {
			size = int64(n.Size)
		}
		all = append(all, listOf(n.Name, n.Type.ID, wireID(n.ID), size, int64(n.Cap), int64(n.Waiting)))
	}
	return listOf(all...), nil
}

func (g *goSession) count([]pyvalue.Value) (pyvalue.Value, error) {
	return int64(g.s.store.NumberOfObjects()), nil
}

func (g *storeRequest) debug([]pyvalue.Value) (pyvalue.Value, error) {
	if err := g.loan.Take(debugCost * g.s.store.Size()); err != nil {
		return nil, err
	}
	return g.s.store.DebugInfo(), nil
}

func (g *goSession) ping([]pyvalue.Value) (pyvalue.Value, error) { return nil, nil }

// info says what the server is.
func (g *goSession) info([]pyvalue.Value) (pyvalue.Value, error) {
	return &pyvalue.Dict{Entries: []pyvalue.Entry{
		{Key: "pid", Value: int64(os.Getpid())},
		{Key: "store", Value: g.s.id[:]},
		{Key: "objects", Value: int64(g.s.store.NumberOfObjects())},
	}}, nil
}

// shutdown ends the server when the answer is on its way.
func (g *goSession) shutdown() {
	g.mu.Lock()
	c := g.conn
	g.mu.Unlock()
	if c != nil {
		g.out.wait(c, 0)
	}
	g.s.shutdown()
}
