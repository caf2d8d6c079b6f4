"""multiprocessing.Pipe, 8 bytes there and back: N PAUSE_US PICKLED.

PICKLED 0 uses send_bytes, which is the faster half of Connection; 1 sends an int with send.
"""

import time

from measure import arguments, clock, median, mp, report


def echo(conn, pickled):
    try:
        while True:
            if pickled:
                conn.send(conn.recv() + 1)
            else:
                v = int.from_bytes(conn.recv_bytes(), "little") + 1
                conn.send_bytes(v.to_bytes(8, "little"))
    except EOFError:
        pass


def trip(conn, pickled, i):
    if pickled:
        conn.send(i)
        v = conn.recv()
    else:
        conn.send_bytes(i.to_bytes(8, "little"))
        v = int.from_bytes(conn.recv_bytes(), "little")
    if v != i + 1:
        raise SystemExit("pipe: wrong answer")


def main():
    n, pause_us, pickled = arguments()
    ours, theirs = mp.Pipe()

    def child():
        ours.close()
        echo(theirs, pickled)

    p = mp.Process(target=child, daemon=True)
    p.start()
    theirs.close()
    for i in range(n // 10 + 1):
        trip(ours, pickled, i)
    if pause_us == 0:
        start = clock()
        for i in range(n):
            trip(ours, pickled, i)
        report((clock() - start) / n)
    else:
        took = []
        for i in range(n):
            time.sleep(pause_us * 1e-6)
            start = clock()
            trip(ours, pickled, i)
            took.append(clock() - start)
        report(median(took))
    ours.close()
    p.join()


if __name__ == "__main__":
    main()
