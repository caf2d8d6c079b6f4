# CPython's own manager, with a key of its own.
server = SyncManager(address=('127.0.0.1', 0), authkey=KEY).get_server()
say('%s:%d' % server.address)
server.serve_forever()
