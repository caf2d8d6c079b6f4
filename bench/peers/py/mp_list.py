"""multiprocessing.Manager().list: N calls of one client on a list of LENGTH numbers.

usage: mp_list.py N WORK LENGTH

WORK: append; get and insert, at random indices.
"""

import random
import sys
from multiprocessing import Manager

from measure import clock, report


def main(n, work, length):
    with Manager() as m:
        numbers = m.list(range(length))
        at = [random.randrange(max(length, 1)) for _ in range(n)]
        call = {
            "append": numbers.append,
            "get": numbers.__getitem__,
            "insert": lambda i: numbers.insert(i, i),
        }[work]
        call(at[0])
        began = clock()
        for i in at:
            call(i)
        report((clock() - began) / n)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
