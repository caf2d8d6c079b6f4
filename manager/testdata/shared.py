# The recipe of Python's documentation: its callable is a Go function here.
class QueueManager(BaseManager):
    pass

multiprocessing.current_process().authkey = b'another key'   # the manager's is enough

QueueManager.register('depot_orders')
QueueManager.register('get_fresh')
m = connect(QueueManager)
orders = m.depot_orders()
orders.put('tea')
say('get')
v = orders.get()
while v != 'milk':      # the Go program has not had its tea
    orders.put(v)
    v = orders.get()
equal(m.depot_orders()._id, orders._id)
fresh = m.get_fresh()
fresh.put(1)
equal(fresh.get(), 1)
assert m.get_fresh()._id != fresh._id

# Methods that return shared objects, whose types the manager's class knows.
class DepotManager(SyncManager):
    pass

DepotManager.register('test.Depot')
m = connect(DepotManager)
depot = getattr(m, 'test.Depot')()
q = depot.orders()
equal(q._id, orders._id)
q.put('x')
equal(orders.get(), 'x')
d = depot.stock()
assert type(d) is managers.DictProxy, type(d)
d['pears'] = 5
equal(dict(depot.any()), {'pears': 5})
equal(depot.none(), None)
q = depot.fresh()
q.put([1, 2])
equal(q.get(), [1, 2])
e = raises(TypeError, depot.closed)
assert 'closed' in str(e), e

# In other values they are pickled proxies, for which Python takes its process's key.
multiprocessing.current_process().authkey = KEY
name, d = depot.pair()
equal(name, 'stock')
equal(d['pears'], 5)
say('ok')
