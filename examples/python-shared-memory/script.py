import sys
from multiprocessing import resource_tracker, shared_memory

try:
    import numpy
except ImportError:
    numpy = None


def attach(name):
    # Or Python would unlink the name at its end, although Go made it.
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name=name, track=False)
    m = shared_memory.SharedMemory(name=name)
    resource_tracker.unregister(m._name, "shared_memory")
    return m


m = attach(sys.argv[1])
if numpy:
    a = numpy.ndarray(m.size // 8, numpy.float64, buffer=m.buf)
    print("Python sums them by numpy:", int(a.sum()))
    a *= 2
    del a
else:
    a = m.buf.cast("d")
    print("Python sums them by memoryview:", int(sum(a)))
    for i in range(len(a)):
        a[i] *= 2
    a.release()
m.close()
