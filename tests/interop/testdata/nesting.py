# Nested shared objects stay shared, travel, and are freed when nobody refers to them.
m = connect('mixed')
start = m._number_of_objects()
d = m.mixed()
d['a'] = m.list()
d['a'].append(1)
d['a'].append(2)
assert list(d['a']) == [1, 2]
say('nested')
while len(d['a']) < 3:  # Go appends
    threading.Event().wait(0.01)
assert d['a'].pop() == 3
assert d._callmethod('mp.add', ('n', 5)) == 5

# Its maker has given it back before anybody has unpickled it.
q = m.Queue()
q.put(m.list(['in the queue']))
gc.collect()
assert list(q.get()) == ['in the queue']

# Cycles.
for i in range(10):
    x, y = m.list(), m.dict()
    x.append(y)
    y['x'] = x
    y['y'] = y
del x, y, q
gc.collect()
del d['a']
del d['n']
del d
gc.collect()
say('freed', m._number_of_objects() - start)
