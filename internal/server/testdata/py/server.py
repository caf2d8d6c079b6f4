m = connect()
start = m._number_of_objects()
q = m.Queue()
# idents that nobody has, types that nobody knows
from multiprocessing.managers import dispatch
from multiprocessing.connection import Client


def ask(method, *args):
    conn = Client(ADDRESS, authkey=KEY)
    try:
        return dispatch(conn, None, method, args)
    finally:
        conn.close()


for method, args, text in [('create', ('nonsense',), 'nonsense'), ('evil', (), "AssertionError: 'evil' unrecognized"), ('incref', ('deadbeef',), 'KeyError'),
                           ('decref', ('deadbeef',), 'KeyError'), ('decref', (17,), 'KeyError')]:
    e = raises(RemoteError, ask, method, *args)
    assert text in str(e), (method, str(e))
equal(sorted(ask('get_methods', q._token))[:3], ['empty', 'full', 'get'])
gone = m.Event()
ask('decref', gone._id)
e = raises(RemoteError, gone.set)
assert 'KeyError' in str(e), str(e)

info = m._debug_info()
assert 'refcount=1' in info and '%s:' % q._id in info, info
before = m._number_of_objects()
assert before > start
more = [m.Event() for _ in range(10)]
equal(m._number_of_objects(), before + 10)
del more
equal(m._number_of_objects(), before)
say('ok')
