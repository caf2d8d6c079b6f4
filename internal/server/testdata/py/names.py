SyncManager.register('orders')
m = connect()
orders = m.orders()
orders['from python'] = 1
equal(sorted(orders.keys()), ['from go', 'from python'])
again = m.orders()
equal(orders._id, again._id)
say('ok')
