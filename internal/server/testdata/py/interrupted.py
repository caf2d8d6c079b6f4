# An exception ends a wait, as Ctrl-C does: the thread goes on with its proxies.
import signal


class Interrupted(Exception):
    pass


def interrupt(signum, frame):
    raise Interrupted


def interrupted(f, *args):
    signal.setitimer(signal.ITIMER_REAL, .05)
    raises(Interrupted, f, *args)


signal.signal(signal.SIGALRM, interrupt)
m = connect()
q, l, e, s, d = m.Queue(), m.Lock(), m.Event(), m.Semaphore(0), m.dict()
l.acquire()
for _ in range(2):
    for wait in q.get, l.acquire, e.wait, s.acquire:
        interrupted(wait)
        d['a'] = wait.__name__
        equal(d['a'], wait.__name__)
q.put(1)
equal(q.get(), 1)
l.release()
equal(l.acquire(False), True)
l.release()
s.release()
equal(s.acquire(False), True)
cond = m.Condition()
cond.acquire()
interrupted(cond.wait)
try:
    cond.release()
except RuntimeError:
    pass
equal(cond.acquire(True, 5), True)
cond.release()
say('ok')
