"""multiprocessing.managers over a Unix socket or TCP: N calls altogether, by THREADS threads of one client.

usage: mp_manager.py N WORK THREADS FAMILY [ADDRESS KEYFILE]

WORK: dict, a __setitem__ and a __getitem__ in turn on one dict; lock, the creation of a Lock. FAMILY: unix or tcp.
With an ADDRESS the server is another program's; without, it is CPython's own.
"""

import os
import sys
import tempfile
import threading
from multiprocessing.managers import SyncManager

from measure import clock, report


def connect(family, rest):
    if not rest:
        directory = tempfile.TemporaryDirectory()
        m = SyncManager(address=os.path.join(directory.name, "s") if family == "unix" else ("127.0.0.1", 0))
        m.start()
        m.directory = directory
        return m
    address, keyfile = rest
    if family == "tcp":
        host, port = address.rsplit(":", 1)
        address = (host, int(port))
    elif address.startswith("@"):
        address = "\0" + address[1:]
    with open(keyfile, "rb") as f:
        m = SyncManager(address=address, authkey=f.read())
    m.connect()
    return m


def calls(d, n, start):
    d["warm"] = 0
    start.wait()
    for i in range(n // 2):
        d["key"] = i
        d["key"]


def dicts(m, n, threads):
    d = m.dict()
    start = threading.Barrier(threads + 1)
    all = [threading.Thread(target=calls, args=(d, n // threads, start)) for _ in range(threads)]
    for t in all:
        t.start()
    start.wait()
    began = clock()
    for t in all:
        t.join()
    return (clock() - began) / (n // threads * threads)


def locks(m, n):
    m.Lock()
    began = clock()
    for _ in range(n):
        m.Lock()
    return (clock() - began) / n


def main():
    n, work, threads, family, *rest = sys.argv[1:]
    m = connect(family, rest)
    report(locks(m, int(n)) if work == "lock" else dicts(m, int(n), int(threads)))
    if not rest:
        m.shutdown()


if __name__ == "__main__":
    main()
