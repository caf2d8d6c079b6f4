LIMIT = int(sys.argv[2])
m = connect()
d, ev = m.dict(), m.Event()

for size in (LIMIT + 1, 10 * LIMIT, LIMIT):
    e = raises(ValueError, d.__setitem__, 'df', b'x' * size)
    assert 'over this server\'s limit of %d' % LIMIT in str(e) and '--max-frame' in str(e), e
    ev.set()                     # the same connection, and another proxy
    d['a'] = size
    equal(d['a'], size)
equal(d.get('df'), None)
e = raises(ValueError, m.list, 'x' * (2 * LIMIT))   # a request to the server itself
assert '--max-frame' in str(e), e
q = m.Queue()
raises(ValueError, q.put, ['x' * 100] * LIMIT)
q.put(b'x' * (LIMIT - 1000))
equal(len(q.get()), LIMIT - 1000)
say('ok')
