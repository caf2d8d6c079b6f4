import multiprocessing
import queue
import sys
import threading
import time
from multiprocessing import managers
from multiprocessing.managers import BaseManager, SyncManager, RemoteError

KEY = b'a key of the tests'


def address_of(text):
    if text.startswith('@'):
        return '\0' + text[1:]
    if '/' in text:
        return text
    host, port = text.rsplit(':', 1)
    return (host, int(port))


ADDRESS = address_of(sys.argv[1])
multiprocessing.current_process().authkey = KEY


def connect(cls=SyncManager):
    m = cls(address=ADDRESS, authkey=KEY)
    m.connect()
    return m


def raises(kind, f, *args, **kwds):
    try:
        v = f(*args, **kwds)
    except kind as e:
        assert type(e) is kind, (type(e), kind)
        return e
    raise AssertionError('%r returned %r and raised no %s' % (f, v, kind))


def equal(got, want):
    assert got == want and type(got) is type(want), (got, want)
