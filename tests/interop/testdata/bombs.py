# Asks for what would take more memory or time than there is. All of it must be refused, or do no harm.
import time
m = connect()
N = 1 << 40
l, d, ns = m.list([1, 2, 3]), m.dict(), m.Namespace()


def laughs(depth=64):
    x = ['ha']
    for i in range(depth):
        x = [x, x]
    return x


def double():
    d['x'] = 'x' * 1000
    for i in range(40):
        d._callmethod('mp.add', ('x', d['x']))


def double_list():
    big = m.list([0] * 1000)
    for i in range(40):
        big._callmethod('__imul__', (2,))


def double_deep():
    x = m.list([0])
    for i in range(64):
        x.extend([x._getvalue()] * 2)
        x._callmethod('__delitem__', (slice(0, 1),))


def deep(n):
    x = []
    for i in range(n):
        x = [x]
    return x


def store_laughs():
    d['laughs'] = laughs()


def compare():
    other = m.list([laughs()])
    return laughs() in other


def key():
    x = ()
    for i in range(64):
        x = (x, x)
    d[x] = 1


BOMBS = [
    ('list *= N', lambda: l._callmethod('__imul__', (N,))),
    ('list *= 10**30', lambda: l._callmethod('__imul__', (10 ** 30,))),
    ('list * N', lambda: l * N),
    ('list * -N', lambda: l * -N),
    ('list.extend(range)', lambda: l.extend(range(N))),
    ('list(range)', lambda: m.list(range(N))),
    ('list[:] = range', lambda: l.__setitem__(slice(None), range(N))),
    ('list[::N]', lambda: l[::N]),
    ('list[-N:N]', lambda: l[-N:N]),
    ('list.insert(10**30)', lambda: l.insert(10 ** 30, 1)),
    ('list + range', lambda: l + range(N)),
    ('dict.fromkeys', lambda: d._callmethod('fromkeys', (range(N),))),
    ('dict(range)', lambda: m.dict(range(N))),
    ('Array', lambda: m.Array('i', range(N))),
    ('Array(N)', lambda: m.Array('i', N)),
    ('Queue(10**30)', lambda: m.Queue(10 ** 30)),
    ('Barrier(10**30)', lambda: m.Barrier(10 ** 30)),
    ('Semaphore(10**30)', lambda: m.Semaphore(10 ** 30)),
    ('Semaphore.release(N)', lambda: m.Semaphore(1)._callmethod('release', (N,))),
    ('notify(N)', lambda: m.Condition()._callmethod('notify', (N,))),
    ('Value(10**5000)', lambda: m.Value('i', 10 ** 5000)),
    ('a long text', lambda: l._callmethod('__contains__', ('x' * 1000000,))),
    ('mp.add doubled', double),
    ('list doubled', double_list),
    ('list in list doubled', double_deep),
    ('nested 100 deep', lambda: d.__setitem__('deep', deep(100))),
    ('laughs', store_laughs),
    ('laughs: repr', lambda: str(d)),
    ('laughs: copy', lambda: d.copy() and None),
    ('laughs: compare', compare),
    ('laughs: key', key),
    ('laughs: sort', lambda: m.list([laughs(), laughs()]).sort()),
    ('timeout of -infinity', lambda: m.Event().wait(-float('inf'))),
    ('timeout of nan', lambda: m.Event().wait(float('nan'))),
]
for name, bomb in BOMBS:
    began = time.monotonic()
    try:
        result = bomb()
        outcome = 'harmless'
    except Exception as e:
        outcome = type(e).__name__ + ': ' + str(e).replace('\n', ' ')[-150:]
    took = time.monotonic() - began
    say('%s | %.2f | %s' % (name, took, outcome))
    try:
        l[:] = [1, 2, 3]
        if not name.startswith('laughs'):
            d.clear()
    except Exception as e:
        say('%s | 0 | afterwards %r' % (name, e))
        m, l, d = connect(), connect().list([1, 2, 3]), connect().dict()
say('done')
