# Adds one to a key as often as its argument says, when the gate opens.
m = connect('counts', 'tools')
d, gate = m.counts(), m.tools()['gate']
say('ready')
gate.wait()
for i in range(int(sys.argv[4])):
    d._callmethod('mp.add', (sys.argv[3], 1))
say('done')
