# Lives through a restart of its server.
m = connect()
d = m.dict({'k': 1})
lock = m.Lock()
say(d['k'])
while not os.path.exists(sys.argv[3]):
    threading.Event().wait(0.01)
for f in (lambda: d['k'], lambda: lock.acquire(), lambda: m.dict()):
    say(type(raises((OSError, EOFError), f)).__name__)
del d, lock
while os.path.exists(sys.argv[3]):
    threading.Event().wait(0.01)


def again():  # a thread has a connection of its own
    d = m.dict({'k': 2})
    say(d['k'])


t = threading.Thread(target=again)
t.start()
t.join()
# This one's was given up with the last of its proxies.
say(m.dict({'k': 3})['k'])
