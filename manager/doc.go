// Package manager keeps shared objects in a process of their own, or in a
// part of yours, for processes that share no memory: queues, dictionaries,
// lists, sets, values, locks and what else Python's multiprocessing.Manager
// has. Go programs reach it over a Unix socket or TCP, and so does a stock
// CPython, 3.8 or later, with its own standard library.
//
//	m, err := manager.Start(ctx, manager.Options{})           // a server process, as Manager() is
//	d, err := mp.NewDict[string, int](mp.In(m), mp.WithName("stock"))
//	n, err := d.Add(ctx, "apples", 3)                         // never lost, whoever else adds
//
// A server that other programs find:
//
//	l, err := manager.Listen("/run/stock")                    // or "host:port", or "@stock"
//	err = manager.Serve(ctx, l, manager.Options{AuthkeyFile: "/etc/stock.key"})
//
//	m, err := manager.Dial(ctx, "/run/stock", manager.Options{AuthkeyFile: "/etc/stock.key"})
//
// The same server for a Python program:
//
//	from multiprocessing.managers import SyncManager
//	SyncManager.register('stock')                             # the name of an object
//	m = SyncManager(address='/run/stock', authkey=key)
//	m.connect()
//	stock = m.stock()                                         # the dict above
//
// # Objects
//
// An object lives as long as somebody refers to it: a client by a handle or a
// proxy, or another object that it was put into. An object with a name lives
// as long as the server, or until it is forgotten by name. What a Python
// client makes, a Go client sees, and the other way round; docs/python.md has
// the table of types.
//
// Every operation is carried out by the server as a whole: two clients that
// Add to one key, or that put into one queue, never lose anything. Values are
// kept as they came and translated when a client of the other language reads
// them. Nothing that a client sends is ever run as code: pickles are parsed as
// data, and a Python object of a class that the server does not know stays
// closed (Options.RefuseOpaque turns it away).
//
// The program's own types join by Register: their exported methods can be
// called from both languages.
//
// # Who may connect
//
// Clients and server prove to each other that they share a key; see
// Options.Authkey. The key is never sent, printed or logged. A Unix socket
// also admits this user's processes only. The key does not encrypt: between
// machines use Options.TLS, or a tunnel for Python clients, which have no TLS.
//
// # Death
//
// A Go client's session outlives its connection: if that breaks, the client
// makes another and goes on, as if nothing had happened. The server keeps the
// session for Limits.Grace. A client's end is noticed: at once if it runs on the
// same machine, within some ten seconds and the grace if its machine or network
// is gone. Then
//
//   - the locks that it held are released, and its permits of semaphores come
//     back. The next Go client to lock a Lock, or an RWLock that it wrote under,
//     gets an *mp.OwnerDiedError until Repair; Python's clients simply get it.
//   - a barrier that it was waiting at is broken.
//   - what it was waiting for is forgotten. An item of a queue that was under
//     way to it is the queue's first item again.
//   - its references are counted down.
//
// Python lets one process or thread acquire a lock that another releases. So
// what a Python process still holds when it leaves in order (it has given back
// its proxy) stays held.
//
// A Python program on this machine is known as a process. From elsewhere, and
// if its process belongs to another user or is behind a tunnel, it is known by
// its connections, and CPython's say little: what a thread holds is released
// when the thread ends, and of the references of a process that was killed
// those to objects that its main thread never used outlive it, as they do with
// CPython's own server.
//
// If the server dies its objects are gone. Clients get an error that wraps
// mp.ErrUnknownFate from calls under way, at once if it says that it ends or was
// behind a Unix socket, else when its grace has passed; and connect again by
// themselves when there is a server again.
//
// # Limits
//
// Options.Limits bound frames, objects, memory, connections and the time for a
// handshake. A client that does not read its answers is not read from either,
// and delays nobody. Ten thousand connections that prove nothing cost a
// bounded amount of memory, for the oldest are dropped.
//
// An idle client costs the server some 16 KiB.
package manager
