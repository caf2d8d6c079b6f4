# Goes on in a child, as daemons do: with the proxies and the connection of its
# parent, which ends without a word.
import os
import warnings

warnings.simplefilter('ignore')  # about fork and the thread that watches standard input

names = sys.argv[2:4]
for name in names:
    SyncManager.register(name)
m = connect()
own, orders, answers = m.dict(), getattr(m, names[0])(), getattr(m, names[1])()
own['a'] = 1
assert orders.get() == 'begin'
if os.fork():
    os._exit(0)  # the parent
os.setsid()
say('ready')
while True:
    order = orders.get()  # waits when the parent is buried
    if order == 'end':
        break
    own[order] = len(own)
    answers.put(sorted(own.items()))
say('ended')
os._exit(0)
