# What CPython 3.14 has added, as its client sends it. The proxies are made here, so that older ones can send it too.
from multiprocessing.managers import DictProxy, ListProxy, MakeProxyType

BINARY = ('__and__ __class_getitem__ __contains__ __iand__ __ior__ __isub__ __iter__ __ixor__ __len__ __or__ __rand__ __ror__ '
          '__rsub__ __rxor__ __sub__ __xor__ __ge__ __gt__ __le__ __lt__ add clear copy difference difference_update discard '
          'intersection intersection_update isdisjoint issubset issuperset pop remove symmetric_difference '
          'symmetric_difference_update union update').split()


class Set(MakeProxyType('Set', [m for m in BINARY if not m.startswith('__i') or m == '__iter__'])):
    def __ior__(self, value):
        self._callmethod('__ior__', (value,))
        return self

    def __iand__(self, value):
        self._callmethod('__iand__', (value,))
        return self

    def __ixor__(self, value):
        self._callmethod('__ixor__', (value,))
        return self

    def __isub__(self, value):
        self._callmethod('__isub__', (value,))
        return self


class Dict(MakeProxyType('Dict', '__or__ __ror__ __reversed__ fromkeys'.split()), DictProxy):
    def __ior__(self, value):
        self._callmethod('__ior__', (value,))
        return self


class List(ListProxy):
    def clear(self):
        return self._callmethod('clear')

    def copy(self):
        return self._callmethod('copy')


class Manager(SyncManager):
    pass


Manager.register('set', proxytype=Set)
Manager.register('dict', proxytype=Dict)
Manager.register('list', proxytype=List)
m = connect(Manager)

s = m.set([1, 2, 3])
equal(len(s), 3)
equal(2 in s, True)
equal(sorted(s), [1, 2, 3])
equal(s | {9}, {1, 2, 3, 9})
equal({9} | s, {1, 2, 3, 9})
equal(s & {2, 7}, {2})
equal({2, 7} & s, {2})
equal(s - {1}, {2, 3})
equal({1, 8} - s, {8})
equal(s ^ {3, 4}, {1, 2, 4})
equal({3, 4} ^ s, {1, 2, 4})
equal((s < {1, 2, 3, 4}, s <= {1}, s > {1}, s >= {1, 2, 3}), (True, False, True, True))
before = s
s |= {4}
s &= {2, 3, 4, 5}
s -= {4}
s ^= {3, 6}
assert s is before
equal(s._getvalue(), {2, 6})
equal(s.copy(), {2, 6})
equal(s.add(7), None)
equal(s.discard(100), None)
equal(s.remove(7), None)
equal(raises(KeyError, s.remove, 7).args, (7,))
equal(s.union([1], (3,)), {1, 2, 3, 6})
equal(s.intersection([2], {2, 3}), {2})
equal(s.difference([2]), {6})
equal(s.symmetric_difference([2, 3]), {3, 6})
equal((s.isdisjoint([1]), s.issubset([2, 6, 7]), s.issuperset([2])), (True, True, True))
s.update([1, 2], 'ab')
equal(s._getvalue(), {1, 2, 6, 'a', 'b'})
s.difference_update('ab')
s.intersection_update([1, 2])
s.symmetric_difference_update([2, 3])
equal(s._getvalue(), {1, 3})
assert s.pop() in (1, 3)
s.clear()
equal(str(s), 'set()')
raises(KeyError, s.pop)
raises(TypeError, s.add, [])
equal(s.__or__([1]), NotImplemented)
raises(TypeError, lambda: s | [1])
equal(m.set()._getvalue(), set())

d = m.dict(a=1)
equal(d | {'b': 2}, {'a': 1, 'b': 2})
equal({'b': 2} | d, {'b': 2, 'a': 1})
before = d
d |= {'c': 3}
assert d is before
d |= [('e', 5)]
equal(d.copy(), {'a': 1, 'c': 3, 'e': 5})
equal(list(reversed(d)), ['e', 'c', 'a'])
equal(d.fromkeys('xy', 0), {'x': 0, 'y': 0})

l = m.list([3, 1])
equal(l.copy(), [3, 1])
l.clear()
equal(l._getvalue(), [])

for name in ['Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'Condition']:
    k = getattr(m, name)()
    equal(k._callmethod('locked'), False)
    k.acquire()
    equal(k._callmethod('locked'), True)
    k.release()
    equal(k._callmethod('locked'), False)
q = m.Queue()
q.put(1)
q._callmethod('shutdown')
equal(q.get(), 1)
del before, k, s, d, l, q
say('ok')
