# Takes the lock and an item.
m = connect('queue', lock=managers.AcquirerProxy)
with m.lock():
    say('locked')
say(m.queue().get(True, 20))
