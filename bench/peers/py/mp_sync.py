"""multiprocessing's objects of synchronization: N WORK."""

import sys
import time

from measure import clock, median, mp, report

PAUSE = 1000e-6


def mean(f, n):
    for _ in range(n // 10 + 1):
        f()
    start = clock()
    for _ in range(n):
        f()
    report((clock() - start) / n)



def semaphore(n):
    s = mp.Semaphore(1)

    def f():
        s.acquire()
        s.release()

    mean(f, n)


def rlock(n):
    s = mp.RLock()

    def f():
        s.acquire()
        s.release()

    mean(f, n)


def event(n):
    e = mp.Event()

    def f():
        e.set()
        e.clear()

    mean(f, n)


def answer(a, b):
    while True:
        a.acquire()
        b.release()


def hand_over(n, parked=False):
    a, b = mp.Semaphore(0), mp.Semaphore(0)
    p = mp.Process(target=answer, args=(a, b), daemon=True)
    p.start()

    def trip():
        a.release()
        b.acquire()

    if not parked:
        mean(trip, n)
    else:
        took = []
        for _ in range(n):
            time.sleep(PAUSE)
            start = clock()
            trip()
            took.append(clock() - start)
        report(median(took))
    p.kill()
    p.join()


def play(cond, ball, me):
    with cond:
        cond.wait_for(lambda: ball.value == me)
        ball.value = 1 - me
        cond.notify()


def player(cond, ball):
    while True:
        play(cond, ball, 1)


def cond(n, parked=False):
    c, ball = mp.Condition(mp.Lock()), mp.RawValue("q", 0)
    p = mp.Process(target=player, args=(c, ball), daemon=True)
    p.start()

    def trip():
        play(c, ball, 0)
        with c:
            c.wait_for(lambda: ball.value == 0)

    if not parked:
        mean(trip, n)
    else:
        took = []
        for _ in range(n):
            time.sleep(PAUSE)
            start = clock()
            trip()
            took.append(clock() - start)
        report(median(took))
    p.kill()
    p.join()


def meet(b):
    try:
        while True:
            b.wait()
    except Exception:  # it is broken: the end
        pass


def barrier(n):
    b = mp.Barrier(2)
    p = mp.Process(target=meet, args=(b,), daemon=True)
    p.start()
    mean(b.wait, n)
    b.abort()
    p.join()


WORK = {
    "semaphore": semaphore,
    "hand-over": hand_over,
    "hand-over-parked": lambda n: hand_over(n, parked=True),
    "cond": cond,
    "cond-parked": lambda n: cond(n, parked=True),
    "barrier": barrier,
    "rlock": rlock,
    "event": event,
}

if __name__ == "__main__":
    WORK[sys.argv[2]](int(sys.argv[1]))
