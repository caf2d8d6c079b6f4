# Does what its argument says to a shared object, and waits to be killed.
what = sys.argv[3]
m = connect(lock=managers.AcquirerProxy, queue=managers.BaseProxy)
if what == 'lock':
    lock = m.lock()
    assert lock.acquire()
    say('holds')
else:
    q = connect('queue').queue()
    say('waits')
    q.get()
    say('got')
signal.pause()
