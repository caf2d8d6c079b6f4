"""Pools of CPython: N KIND WORK WORKERS.

KIND: pool is multiprocessing.Pool, executor is concurrent.futures.ProcessPoolExecutor, loky is joblib's.
WORK:
    map      N numbers, in the chunks that Pool.map takes by itself
    one      N numbers, each in a message of its own
    call     N numbers, each awaited before the next
    spin     N items that take a millisecond of a processor
    blocks   N items of 16 MiB
    kill     N times, from the SIGKILL of a worker to the error (not with pool, which never has one): the median
    slowest  the same, the maximum
    recycle  N numbers, a worker is replaced after 100 of them: the longest time between two results
    ahead    N numbers of a generator: the most that were taken from it and have not come out
    memory   N numbers of a generator: what the processes grow by
"""

import glob
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import items
from measure import LINE, clock, median, mp, report


class Pool:
    def __init__(self, workers, limit=None):
        self.pool = mp.Pool(workers, maxtasksperchild=limit)

    def map(self, f, values, chunk):
        return self.pool.map(f, values, chunk)

    def lazy(self, f, values):
        return self.pool.imap(f, values)

    def call(self, f, value):
        return self.pool.apply(f, (value,))

    def close(self):
        self.pool.close()
        self.pool.join()


class Executor:
    def __init__(self, workers):
        self.executor = self.make(workers)

    def make(self, workers):
        return ProcessPoolExecutor(workers, mp_context=mp)

    def map(self, f, values, chunk):
        return list(self.executor.map(f, values, chunksize=chunk))

    def lazy(self, f, values):
        return self.executor.map(f, values)

    def call(self, f, value):
        return self.executor.submit(f, value).result()

    def close(self):
        self.executor.shutdown()


class Loky(Executor):
    def make(self, workers):
        from joblib.externals import loky

        return loky.ProcessPoolExecutor(workers)


KINDS = {"pool": Pool, "executor": Executor, "loky": Loky}


def numbers(p, n, chunk):
    values = list(range(n))
    p.map(items.increment, values[: n // 10 + 1], chunk)
    start = clock()
    results = p.map(items.increment, values, chunk)
    took = clock() - start
    if sum(results) != n * (n + 1) // 2:
        raise SystemExit("pool: wrong results")
    return took / n


def calls(p, n):
    for i in range(n // 10 + 1):
        p.call(items.increment, i)
    start = clock()
    for i in range(n):
        if p.call(items.increment, i) != i + 1:
            raise SystemExit("pool: a wrong result")
    return (clock() - start) / n


def millisecond():
    """How many turns of spin take a millisecond, at the best of some attempts."""
    turns = 10_000
    best = 1e9
    for _ in range(20):
        start = clock()
        items.spin(turns)
        best = min(best, clock() - start)
    return int(turns * 1e-3 / best)


def spins(p, n):
    turns = millisecond()
    p.map(items.spin, [turns] * (n // 10 + 4), 1)
    start = clock()
    p.map(items.spin, [turns] * n, 1)
    return (clock() - start) / n


def blocks(p, n):
    both = []
    for pattern in items.PATTERNS:
        block = bytearray(items.SIZE)
        block[::LINE] = pattern
        both.append(bytes(block))

    def run(n):
        if any(r != items.SIZE for r in p.lazy(items.check, (both[i & 1] for i in range(n)))):
            raise SystemExit("pool: wrong content")

    run(n // 10 + 2)
    start = clock()
    run(n)
    return (clock() - start) / n


def kills(kind, n, workers):
    took = []
    with tempfile.TemporaryDirectory() as directory:
        file = os.path.join(directory, "when")
        for _ in range(n):
            p = KINDS[kind](workers)
            p.map(items.increment, range(100), 1)
            try:
                p.call(items.die, file)
                raise SystemExit("pool: a dead worker has answered")
            except BrokenProcessPool:
                now = time.time_ns()
            with open(file) as f:
                took.append((now - int(f.read())) * 1e-9)
            p.close()
    return took


def recycle(n, workers):
    p = Pool(workers, 100)
    longest, last, seen = 0, None, 0
    for r in p.lazy(items.increment, range(n)):
        now = clock()
        if last is not None:
            longest = max(longest, now - last)
        last = now
        seen += r
    p.close()
    if seen != n * (n + 1) // 2:
        raise SystemExit("pool: wrong results")
    return longest


# How often, and how long, who takes the results does something else.
PAUSES = 10
PAUSE = 0.02


def generator(p, n, look):
    """Calls look(taken, seen) whenever an input is taken; seen results have come out then."""
    seen = 0

    def inputs():
        for i in range(n):
            look(i + 1, seen)
            yield i

    for r in p.lazy(items.increment, inputs()):
        seen += 1
        if seen % max(n // PAUSES, 1) == 0:
            time.sleep(PAUSE)
        if r != seen:
            raise SystemExit("pool: a wrong result")


def ahead(p, n):
    most = 0

    def look(taken, seen):
        nonlocal most
        most = max(most, taken - seen)

    generator(p, n, look)
    return most


def resident(pids):
    """The anonymous and shared memory of processes, as the benchmark of ours has it."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            for line in f:
                if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                    total += int(line.split()[1]) << 10
    return total


def children():
    """The processes whose parent is this one."""
    pids = []
    for file in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(file) as f:
                stat = f.read()
        except OSError:  # it has ended
            continue
        if int(stat[stat.rindex(")") + 1 :].split()[1]) == os.getpid():
            pids.append(int(file.split("/")[2]))
    return pids


def memory(p, n):
    generator(p, n // 10 + 1, lambda taken, seen: None)
    pids = [os.getpid(), *children()]
    before = most = resident(pids)

    def look(taken, _):
        nonlocal most
        if taken % max(n // 20, 1) == 0:
            most = max(most, resident(pids))

    generator(p, n, look)
    return max(most, resident(pids)) - before


def main():
    n, kind, work, workers = sys.argv[1:]
    n, workers = int(n), int(workers)
    if work in ("kill", "slowest"):
        report((max if work == "slowest" else median)(kills(kind, n, workers)))
        return
    if work == "recycle":
        report(recycle(n, workers))
        return
    p = KINDS[kind](workers)
    chunk = -(-n // (4 * workers))
    report(
        {
            "map": lambda: numbers(p, n, None if kind == "pool" else chunk),
            "one": lambda: numbers(p, n, 1),
            "call": lambda: calls(p, n),
            "spin": lambda: spins(p, n),
            "blocks": lambda: blocks(p, n),
            "ahead": lambda: ahead(p, n),
            "memory": lambda: memory(p, n),
        }[work]()
    )
    p.close()


if __name__ == "__main__":
    main()
