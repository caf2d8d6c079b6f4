# Does what its argument says to the object of that name, and waits to be killed.
what, name = sys.argv[2:4]
SyncManager.register(name)
m = connect()
x = getattr(m, name)()
others = [m.Queue(), m.Event()]
if what in ('Lock.acquire', 'RLock.acquire', 'Semaphore.acquire', 'BoundedSemaphore.acquire', 'Condition.acquire'):
    assert x.acquire()
    if what.startswith('R'):
        assert x.acquire()
    say('holds')
elif what == 'Condition.wait':
    x.acquire()
    say('waits')
    x.wait()
elif what == 'Queue.get':
    say('waits')
    x.get()
elif what == 'Queue.get.later':
    say('got', x.get())
else:
    say('waits')
    getattr(x, what.split('.')[1])()
threading.Event().wait()
