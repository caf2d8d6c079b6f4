m = connect()
# the others
v = m.Value('i', 7)
equal(v.value, 7)
v.value = 8
equal(v.get(), 8)
equal(str(v), "Value('i', 8)")
a = m.Array('i', [1, 2, 3])
a[1] = 5
equal(a[1], 5)
equal(list(a[0:2]), [1, 5])
equal(len(a), 3)
equal(str(a), "array('i', [1, 5, 3])")
equal(a._getvalue().tolist(), [1, 5, 3])
n = m.Namespace(x=1)
n.y = 2
n._hidden = 3
equal(n.x, 1)
equal(raises(AttributeError, lambda: n.zz).args, ("'Namespace' object has no attribute 'zz'",))
del n.x
equal(str(n), 'Namespace(y=2)')
equal(n._getvalue().y, 2)
if hasattr(m, 'set'):
    z = m.set([1, 2])
    z.add(3)
    equal(sorted(z), [1, 2, 3])

# values keep their types
inf = float('inf')
for x in [0, -1, 1 << 62, -(1 << 63), 1 << 64, -(1 << 200), 0.0, -0.0, 1.5, inf, -inf, True, None, '', 'é\U0001f600',
          '\udc80', b'', b'\x00\xff', bytearray(b'ab'), (), (1, (2,)), [], [[]], {}, {1: 'a', 'b': 2}, {1, 2}, frozenset([1]), set(),
          1 + 2j, range(1, 10, 3), slice(1, None, 2), 'x' * 70000, list(range(3000)), ValueError('a', 1), KeyError('k')]:
    v.value = x
    y = v.value
    assert type(x) is type(y) and repr(x) == repr(y), (x, y)
v.value = float('nan')
assert v.value != v.value
cyclic = []
cyclic.append(cyclic)
v.value = cyclic
y = v.value
assert y[0] is y
say('ok')
