# What a process holds when it leaves in order stays held, as in Python.
from multiprocessing import Process


def acquire(lock):
    lock.acquire()
    say('acquired')


if __name__ == '__main__':
    context = multiprocessing.get_context('fork')
    m = connect()
    for lock in [m.Lock(), m.Semaphore(1)]:
        child = context.Process(target=acquire, args=(lock,))
        child.start()
        child.join()
        equal(child.exitcode, 0)
        equal(lock.acquire(True, 0.3), False)
        lock.release()
        equal(lock.acquire(False), True)
        # And so does what a thread leaves behind, if its process is known.
        if isinstance(ADDRESS, tuple):
            lock.release()
            continue
        lock.release()
        t = threading.Thread(target=acquire, args=(lock,))
        t.start()
        t.join()
        equal(lock.acquire(True, 0.3), False)
        lock.release()
    say('ok')
