// Package pymp lets a Go program talk to Python programs that use Python's own
// multiprocessing: nothing has to be installed on their side.
//
// There are three ways. A [Manager] is a client of a manager that a Python program
// serves, with types that it registered itself. A [Conn] is one end of a
// multiprocessing.connection, which either side may have opened: see [Connect]
// and [Listen]. [SharedMemory] is memory that has a name, on one machine. For the other direction, Python programs that use objects which
// a Go program serves, see package manager.
//
// # A manager
//
// In Python:
//
//	from multiprocessing.managers import BaseManager
//
//	class Shop:
//	    def __init__(self, name): ...
//	    def order(self, item, count=1): ...     # returns a dict, raises SoldOut
//	    def open_orders(self): ...              # returns a list
//
//	class ShopManager(BaseManager): pass
//	ShopManager.register('Shop', Shop)
//	ShopManager(('127.0.0.1', 50000), authkey=b'not this one').get_server().serve_forever()
//
// In Go:
//
//	m, err := pymp.Dial(ctx, "127.0.0.1:50000", key)
//	…
//	defer m.Close()
//	shop, err := m.Create(ctx, "Shop", "corner")                // Shop('corner')
//	…
//	defer shop.Close()
//
//	type Order struct {
//		ID   int    `mp:"id"`
//		Item string `mp:"item"`
//	}
//	o, err := pymp.Call[Order](ctx, shop, "order", "tea", pymp.Kwargs{"count": 2})
//	switch {
//	case errors.Is(err, ErrSoldOut):                            // see RegisterException
//	case err != nil:
//		return err
//	}
//	open, err := pymp.Call[[]Order](ctx, shop, "open_orders")
//
// A SyncManager offers Python's list, dict, Queue, Lock and so on in the same way:
//
//	d, err := m.Create(ctx, "dict")
//	err = d.Call(ctx, "__setitem__", "k", []int{1, 2})          // d['k'] = [1, 2]
//	v, err := pymp.Call[[]int](ctx, d, "__getitem__", "k")      // d['k']
//	all, err := pymp.Call[map[string][]int](ctx, d, "#GETVALUE") // dict(d)
//	for k, err := range pymp.Iter[string](ctx, d) { … }          // for k in d
//
// # Values
//
// Go's types become Python's, and the other way round, by what they are:
//
//	Go                                Python
//	nil, nil pointer, slice or map    None
//	bool; integers, *big.Int          bool; int of any size, checked for overflow
//	float64, float32; complex128      float with NaN and the infinities; complex
//	string; []byte                    str; bytes
//	slice, array                      list (and from a tuple or a set)
//	Tuple                             tuple
//	map                               dict
//	struct                            dict by the names of its fields, or what a tag
//	                                  mp:"name" says; also from a tuple of as many items
//	time.Time                         datetime.datetime
//	*Proxy                            proxy of a shared object
//	Set, FrozenSet, ByteArray, …      set, frozenset, bytearray, …
//
// An any takes what comes: integers as int, lists as []any, dicts as
// map[string]any if their keys are text, shared objects as *Proxy, and for what
// Go has nothing the types at the end of this package. An instance of a class
// that is not Python's own is an *Object, which can be sent back as it came.
//
// What comes from Python is a pickle. It is read as data: no name in it is ever
// looked up or called, its depth and size are bounded. The other direction is not
// so: Python calls what a pickle names, so a Python manager trusts all of its
// clients.
//
// # References
//
// A [Proxy] holds a reference, which Close gives back; the server drops an object
// with its last reference. Proxies may be arguments, and parts of arguments, and
// those that come in results are the caller's to close. A proxy that is kept in a
// list of the server keeps its object alive without the client.
//
// A proxy that comes may belong to another manager than the one that sent it.
// Python then tries the process's authkey there, whatever manager it is. Here keys
// belong to addresses: those of the managers that this process has dialled, and
// those given by [WithKey]. To any other the proxy is refused, with an error that
// names the address.
//
// # Connections
//
// The protocol of CPython has no pipelining: a call under way occupies a connection
// and a thread of the server. A Manager opens as many as there are calls at once,
// and keeps some of them ([MaxIdle]). So goroutines never wait for each other, and
// a call that blocks in the server blocks nobody else. Making one takes some
// milliseconds, a call over an open one some 50 µs. To create an object and to give
// its reference back take a connection of their own: the protocol knows no other
// way.
//
// The thread is what Python's locks take for their owner: use a [Channel] for RLock
// and Condition.
//
// # Failure
//
// An error means that nothing happened, with one exception: when the connection
// broke, or the context ended, after the request was out, the error wraps
// mp.ErrUnknownFate. The server may have carried it out, or may still do so: it
// cannot be told to stop, and an item that it takes out of a Queue for a caller who
// has left is lost. So let calls that wait end by themselves:
//
//	v, err := pymp.Call[int](ctx, q, "get", true, 5.0)           // q.get(True, 5.0)
//	if errors.Is(err, mp.ErrEmpty) { … }
//
// Nothing has to be done when a server was restarted: the next call connects
// again. Its objects are new ones; a call to an old one says mp.ErrNoHandle. What a
// client held when it died stays locked, in a CPython server; in one of package
// manager it does not.
//
// Exceptions are [Error] values, and errors.Is finds what they mean in Go. What the
// server says when it could not do as asked is a [RemoteError], with a traceback.
//
// # Security
//
// The authkey proves to both ends that the other one knows it; it is never sent,
// printed or part of an error. It does not protect what follows: in a network in
// which others may read or write, use a tunnel. Python up to 3.11 knows only
// HMAC-MD5, which is answered but never asked for.
//
// # Limits
//
// Python 3.8 cannot receive the proxies of types without a proxy class of their own
// as arguments: its AutoProxy lacks a parameter. The serializer xmlrpclib and the
// named pipes of Windows are not supported.
package pymp
