"""multiprocessing.Process, start and join of an empty function by fork: N PAUSE_US.

The median of single starts, PAUSE_US apart.
"""

import time

from measure import arguments, clock, median, mp, report


def empty():
    pass


def once():
    p = mp.Process(target=empty)
    p.start()
    p.join()
    if p.exitcode != 0:
        raise SystemExit("start: the child failed")


def main():
    n, pause_us = arguments()
    for _ in range(n // 10 + 1):
        once()
    took = []
    for _ in range(n):
        time.sleep(pause_us * 1e-6)
        start = clock()
        once()
        took.append(clock() - start)
    report(median(took))


if __name__ == "__main__":
    main()
