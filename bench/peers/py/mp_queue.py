"""multiprocessing.Queue: N SIZE CAPACITY PUTTERS GETTERS.

SIZE 8 moves integers, 0 dicts with a number and a few texts, and a larger one bytes: one byte of
every cache line is written before and compared after, both by one slice operation each so that
CPython does it at the speed of C.
"""

from measure import LINE, arguments, clock, mp, report

PATH = "/var/spool/jobs/page-000017.json"


def put(queue, size, rank, counts, barrier):
    patterns = [bytes([b]) * (size // LINE) for b in range(256)]
    for count in counts:
        barrier.wait()
        if size == 8:
            for i in range(rank * count, (rank + 1) * count):
                queue.put(i)
        elif size == 0:
            for i in range(count):
                queue.put({"id": i, "name": "render a page", "user": "somebody", "path": PATH, "weight": 2.5})
        else:
            block = bytearray(size)
            for i in range(count):
                block[::LINE] = patterns[i & 255]
                queue.put(bytes(block))  # put pickles later, in a thread: it needs a copy of its own


def get(queue, size, counts, barrier, done):
    patterns = [bytes([b]) * (size // LINE) for b in range(256)]
    for count in counts:
        barrier.wait()
        total = 0
        if size == 8:
            for _ in range(count):
                total += queue.get()
        elif size == 0:
            for _ in range(count):
                job = queue.get()
                if len(job) != 5 or job["path"] != PATH or job["weight"] != 2.5:
                    raise SystemExit("queue: a wrong record")
                total += job["id"]
        else:
            for i in range(count):
                block = queue.get()
                total += len(block) != size or block[::LINE] != patterns[i & 255]
        done.put(total)


def main():
    n, size, capacity, putters, getters = arguments()
    n -= n % (putters * getters)
    warm = (n // 10 // (putters * getters) + 1) * putters * getters
    queue = mp.Queue(capacity)
    done = mp.SimpleQueue()
    barrier = mp.Barrier(putters + getters + 1)
    phases = [warm, n]
    workers = [
        mp.Process(target=put, args=(queue, size, rank, [c // putters for c in phases], barrier), daemon=True)
        for rank in range(putters)
    ]
    workers += [
        mp.Process(target=get, args=(queue, size, [c // getters for c in phases], barrier, done), daemon=True)
        for _ in range(getters)
    ]
    for w in workers:
        w.start()
    for count in phases:
        barrier.wait()
        start = clock()
        total = sum(done.get() for _ in range(getters))
        took = clock() - start
        if total != (count * (count - 1) // 2 if size <= 8 else 0):
            raise SystemExit("queue: wrong content")
    for w in workers:
        w.join()
    report(took / n)


if __name__ == "__main__":
    main()
