"""What every CPython peer shares: the way of reporting, and how long a lonely worker may wait."""

import json
import multiprocessing
import sys
import time

LINE = 64
clock = time.perf_counter

# Peers are measured with the start method that Linux users of CPython have had for decades and
# that is its fastest.
mp = multiprocessing.get_context("fork")


def arguments():
    """The numbers on the command line."""
    return [int(a) for a in sys.argv[1:]]


def report(seconds_per_op):
    print(json.dumps({"per_op": seconds_per_op}), flush=True)


def median(values):
    v = sorted(values)
    half = len(v) // 2
    return v[half] if len(v) % 2 else (v[half - 1] + v[half]) / 2
