import os
import sys
from multiprocessing.managers import DictProxy, SyncManager

SyncManager.register("stock", proxytype=DictProxy)
address = sys.argv[1]
if address.startswith("@"):
    address = "\0" + address[1:]
m = SyncManager(address=address, authkey=os.fsencode(os.environ["MP_AUTHKEY"]))
m.connect()
stock = m.stock()
stock["python"] = [1, 2.5, None]
stock[7] = True
# d[k] += 1 would be two calls, and could lose what another writes between them. This is one.
stock._callmethod("mp.add", ("writers", 1))
