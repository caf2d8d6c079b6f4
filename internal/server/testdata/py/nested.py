m = connect()
start = m._number_of_objects()
outer = m.list()
inner = m.dict()
outer.append(inner)
outer[0]['k'] = 'v'
equal(inner['k'], 'v')
q = m.Queue()
outer.append(q)
outer[1].put(17)
equal(q.get(), 17)
lock = m.Lock()
inner['lock'] = lock
got = outer[0]['lock']
equal(got.acquire(), True)
equal(lock.acquire(False), False)
got.release()
ns = m.Namespace()
ns.list = m.list([1])
ns.list.append(2)
equal(list(ns.list), [1, 2])
# An object of which only a container knows stays, and is found again.
del inner, got, q, lock
import gc
gc.collect()
again = outer[0]
equal(again['k'], 'v')
equal(sorted(again.keys()), ['k', 'lock'])
# A container that contains itself.
outer.append(outer)
outer[-1].append('through itself')
equal(outer[-1], 'through itself')
assert 'ListProxy' in str(type(outer[2])), type(outer[2])
# All of it goes when nobody can reach it.
del again, outer, ns
gc.collect()
say('ok', m._number_of_objects() - start)
