# A handler of a signal uses proxies while its thread waits for an answer.
import os
import signal

m = connect()
q, ev, d = m.Queue(), m.Event(), m.dict()


def handler(*_):
    ev.set()
    d['n'] = d.get('n', 0) + 1


signal.signal(signal.SIGUSR1, handler)


def later(f):
    def run():
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.2)
        f()
    threading.Thread(target=run).start()


later(lambda: None)
raises(queue.Empty, q.get, timeout=1)  # its own timeout
equal(d['n'], 1)
later(lambda: q.put('item'))
equal(q.get(), 'item')                 # what comes later
equal(ev.is_set(), True)
equal(d['n'], 2)
later(lambda: None)
equal(m.Lock().acquire(), True)
lock = m.Lock()
lock.acquire()
equal(lock.acquire(True, 0.8), False)


class Stop(Exception):
    pass


def stop(*_):
    raise Stop()


signal.signal(signal.SIGUSR1, stop)    # and an exception still ends a wait
for i in range(3):
    later(lambda: None)
    raises(Stop, q.get, timeout=2)
    d['stopped'] = i
    time.sleep(0.3)                    # long enough to be asked
    equal(d['stopped'], i)
    q.put(i)
    equal(q.get(), i)
time.sleep(2)
equal(d['stopped'], 2)
say('ok')
