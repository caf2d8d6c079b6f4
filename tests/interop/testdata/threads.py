# As many threads as the argument says use a shared object, each on its connection.
m = connect()
e, q = m.Event(), m.Queue()
threads = [threading.Thread(target=lambda: (q.put(1), e.wait())) for i in range(int(sys.argv[3]))]
for t in threads:
    t.start()
for t in threads:
    q.get()
say('waiting')
while not os.path.exists(sys.argv[4]):
    threading.Event().wait(0.01)
e.set()
for t in threads:
    t.join()
say('done')
