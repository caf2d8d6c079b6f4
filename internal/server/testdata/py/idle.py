# Waits for an item while a child, which does not use it, has its connection
# open too; then it is killed.
import os

SyncManager.register(sys.argv[2])
m = connect()
queue = getattr(m, sys.argv[2])()
queue.qsize()
if os.fork() == 0:
    os.close(1)
    while os.path.exists(ADDRESS):
        time.sleep(0.1)
    os._exit(0)
say('ready')
queue.get()
