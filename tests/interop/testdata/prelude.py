import gc
import multiprocessing
import os
import queue
import signal
import threading
from multiprocessing import managers
from multiprocessing.managers import RemoteError, SyncManager


def address_of(text):
    if text.startswith('@'):
        return '\0' + text[1:]
    if '/' in text:
        return text
    host, port = text.rsplit(':', 1)
    return (host, int(port))


ADDRESS, KEY = address_of(sys.argv[1]), sys.argv[2].encode()
multiprocessing.current_process().authkey = KEY


def connect(*names, **typed):
    """A manager that also finds the objects of these names."""
    class Manager(SyncManager):
        pass
    for name in names:
        Manager.register(name)
    for name, proxy in typed.items():
        Manager.register(name, proxytype=proxy)
    m = Manager(address=ADDRESS, authkey=KEY)
    m.connect()
    return m


def raises(kind, f, *args, **kwds):
    try:
        v = f(*args, **kwds)
    except kind as e:
        return e
    raise AssertionError('%r returned %r and raised no %s' % (f, v, kind))
