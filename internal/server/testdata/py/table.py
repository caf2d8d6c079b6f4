# One value for each row of the table of types in docs/python.md: stores them,
# and, when it is its turn, looks at what became of them and at what the Go
# program has stored.
import collections, datetime, decimal, enum, math, uuid
from multiprocessing.managers import DictProxy


class Record:
    def __init__(self, name, n):
        self.name, self.n = name, n


class Slotted:
    __slots__ = ('name', 'n')

    def __init__(self, name, n):
        self.name, self.n = name, n


class Bare:
    pass


class Words(dict):
    pass


class Stack(list):
    pass


class Colour(enum.Enum):
    RED = 1


Pair = collections.namedtuple('Pair', 'name n')
UTC = datetime.timezone.utc
ROWS = {
    'None': None, 'bool': True, 'int': -7, 'big int': 2**63, 'huge int': -10**30, 'float': 1.5, 'nan': math.nan, 'inf': -math.inf, '-0.0': -0.0,
    'complex': 1 - 2j, 'str': 'a\0\u20ac\U0001f600', 'surrogate': '\ud800', 'bytes': b'\0\xff', 'bytearray': bytearray(b'ab'),
    'list': [1, 'a', None], 'empty list': [], 'tuple': (1, 'a'), 'empty tuple': (), 'dict': {'a': 1}, 'mixed dict': {1: 'a', 'b': 2, None: 3.5},
    'tuple keys': {(1, 2): 'x'}, 'bytes keys': {b'k': 1}, 'big keys': {2**63: 1}, 'set': {1}, 'frozenset': frozenset({'a'}),
    'datetime': datetime.datetime(2024, 2, 29, 1, 2, 3, 4, UTC), 'naive': datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
    'slice': slice(1, None, 2), 'range': range(1, 9, 2), 'ellipsis': ..., 'class': int,
    'record': Record('r', 1), 'slotted': Slotted('s', 2), 'pair': Pair('p', 3), 'bare': Bare(), 'decimal': decimal.Decimal('1.20'),
    'uuid': uuid.UUID(int=7), 'enum': Colour.RED, 'error': ValueError('x', 1), 'deque': collections.deque([1], 5), 'date': datetime.date(2024, 1, 2),
    'ordered': collections.OrderedDict(b=1, a=2), 'default': collections.defaultdict(list, a=[1]), 'counter': collections.Counter('aab'),
    'words': Words(a=1), 'stack': Stack([1, 2]), 'empty ordered': collections.OrderedDict(), 'empty default': collections.defaultdict(int),
    'empty counter': collections.Counter(), 'empty deque': collections.deque(), 'no words': Words(), 'no stack': Stack(),
}


def canon(v):
    if isinstance(v, (list, tuple, collections.deque)):
        return type(v), [canon(x) for x in v]
    if isinstance(v, dict):
        return type(v), sorted(repr((canon(k), canon(x))) for k, x in v.items())
    if isinstance(v, Slotted):
        return type(v), v.name, v.n
    if isinstance(v, (Record, Bare, ValueError)):
        return type(v), getattr(v, 'args', None), v.__dict__
    return type(v), repr(v)


SyncManager.register('python', proxytype=DictProxy)
SyncManager.register('again', proxytype=DictProxy)
SyncManager.register('go', proxytype=DictProxy)
SyncManager.register('turn')
m = connect()
python = m.python()
for row, v in ROWS.items():
    python[row] = v
python['proxy'] = m.list([1, 2])
say('stored', len(ROWS))
m.turn().get()
again, go = m.again(), m.go()
for row, v in ROWS.items():
    if canon(again[row]) != canon(v):
        say(row, 'came back as', again[row])
equal(list(again['proxy']), [1, 2])
WANT = {
    'nil pointer': None, 'nil slice': None, 'nil map': None, 'empty slice': [], 'empty map': {}, 'bool': True, 'int8': -128, 'int': -2**63,
    'uint64': 2**64 - 1, 'big': -10**30, 'small big': 5, 'float64': 0.1, 'float32': 0.5, 'nan': math.nan, 'complex': 1 - 2j,
    'string': '\u20ac\0', 'no text': 'a\udcff', '[]byte': b'\0\xff', '[2]byte': b'ab', 'bytearray': bytearray(b'ab'), 'slice': [1, 2], 'array': [1, 2],
    'tuple': (1, 'a'), 'map': {'a': 1}, 'int map': {1: 'a'}, 'struct map': {(1, 'a'): 2}, 'struct set': {(1, 'a')}, 'array map': {(1, 2): 3},
    'set': {1}, 'pymp set': {1}, 'frozenset': frozenset({1}), 'struct': {'Name': 'n', 'n': 1, 'Kind': 'k', 'Next': None},
    'time': datetime.datetime(2024, 2, 29, 1, 2, 3, 4, datetime.timezone(datetime.timedelta(hours=-1))), 'text': '127.0.0.1',
    'any': [1, 'a', None, {'b': [2.5]}], 'pointer': 5, 'slice value': slice(1, None, None), 'range': range(0, 3), 'global': len,
}
for row, v in WANT.items():
    if canon(go[row]) != canon(v):
        say(row, 'of Go arrived as', repr(go[row]))
equal(sorted(WANT), sorted(k for k in go.keys() if k != 'list'))
equal(list(go['list']), [1, 2])
say('ok')
