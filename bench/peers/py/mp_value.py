"""multiprocessing.Value incremented under its lock: N PROCESSES, N increments altogether."""

from measure import arguments, clock, mp, report


def add(value, n):
    for _ in range(n):
        with value.get_lock():
            value.value += 1


def work(value, n, barrier):
    barrier.wait()
    add(value, n)
    barrier.wait()


def main():
    n, processes = arguments()
    n //= processes
    value = mp.Value("q", 0)
    barrier = mp.Barrier(processes)
    children = [mp.Process(target=work, args=(value, n, barrier), daemon=True) for _ in range(processes - 1)]
    for c in children:
        c.start()
    add(value, n // 10)
    value.value = 0
    barrier.wait()
    start = clock()
    add(value, n)
    barrier.wait()
    took = clock() - start
    for c in children:
        c.join()
    if value.value != n * processes:
        raise SystemExit("value: wrong count")
    report(took / (n * processes))


if __name__ == "__main__":
    main()
