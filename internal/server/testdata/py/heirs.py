# Takes a lock and an item; then has a child that inherits its connection and
# lives as long as the server, and waits to be killed.
import os

items, locks = sys.argv[2:4]
SyncManager.register(items)
SyncManager.register(locks)
m = connect()
queue, lock = getattr(m, items)(), getattr(m, locks)()
assert lock.acquire()
item = queue.get()
if os.fork() == 0:
    os.close(1)
    while os.path.exists(ADDRESS):
        time.sleep(0.1)
    os._exit(0)
say('got', item)
threading.Event().wait()
