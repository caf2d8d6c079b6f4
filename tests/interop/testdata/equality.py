# Values of all kinds, each compared with each: what Python says of ==, <, and
# of keys, the server says too, or refuses.
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import http
import ipaddress
import itertools
import math
import pathlib
import pickle
import random
import time
import uuid
from multiprocessing.reduction import ForkingPickler

D, F = decimal.Decimal, fractions.Fraction
UTC, td = datetime.timezone.utc, datetime.timedelta


class Color(enum.Enum):
    RED, GREEN, TEXT, PAIR = 1, 2, 'x', (1, 2)


class Size(enum.Enum):
    SMALL, BIG = 1, 3


class Number(enum.IntEnum):
    ONE, TWO = 1, 2


class Other(enum.IntEnum):
    UNO = 1


class Perm(enum.IntFlag):
    R, W = 1, 2


class Text(str, enum.Enum):
    X = 'x'


class Name(str):
    pass


class Int(int):
    pass


class Float(float):
    pass


class Raw(bytes):
    pass


class Pair(tuple):
    pass


class Frozen(frozenset):
    pass


class Rows(list):
    pass


class Table(dict):
    pass


class Moment(datetime.datetime):
    pass


Point = collections.namedtuple('Point', 'x y')
Size2 = collections.namedtuple('Size2', 'w h')
Single = collections.namedtuple('Single', 'x')


@dataclasses.dataclass(frozen=True)
class Row:
    a: object
    b: object = None


def zone(hours):
    return datetime.timezone(td(hours=hours))


def when(*args, **kw):
    return datetime.datetime(*args, **kw)


# Of these it is not known whether they equal what they hold: to refuse is right.
UNKNOWN = (Color, Size, Number, Other, Perm, Text, Name, Int, Float, Raw, Pair, Frozen, Rows, Table, Moment, Single)

VALUES = [
    None, False, True, 0, 1, 2, -1, 10, 2**53, 2**53 + 1, 2**63, 2**64, -2**63, 10**30, 0.0, -0.0, 1.0, 0.5, 0.1, 2.0**53, 2.0**64, 1e30,
    1e300, math.inf, -math.inf, complex(1, 0), complex(0.5, 0), complex(1, 2), complex(0, 0),
    D(0), D(1), D('1.0'), D('0.5'), D('0.1'), D('1E+1'), D('1E+30'), D('-1'), D('Infinity'), D('-Infinity'), D(2)**64, D('1E-400'), D('2E+5000'),
    F(1), F(1, 2), F(1, 10), F(1, 3), F(-1), F(10), F(2**64), D('0.3333333333333333'),
    '', 'x', 'a', 'b', '1', 'ä', '\ud800', 'x' * 100, b'', b'x', b'1', b'x' * 100, bytearray(b''), bytearray(b'x'),
    (), (1,), (1.0,), ('x',), (1, 2), (1, D(2)), (1, 2, 3), ((1,),), ((1, 2),), ('a', 1), ('a', 2), (None,), (when(2020, 1, 1, tzinfo=UTC),),
    (when(2020, 1, 1, 1, tzinfo=zone(1)),), tuple(range(100)), tuple(map(float, range(100))), (Number.ONE,), (Name('x'), 1), ('x', 1), (b'x',),
    [], [1], [1.0], [1, 2], [D(1)], ['x'], [[1]], [(1,)], [Number.ONE], [True, 2], [when(2020, 1, 1, tzinfo=UTC)],
    {}, {1: 2}, {1.0: 2.0}, {'x': 1}, {'x': 1, 'y': 2}, {'y': 2, 'x': 1}, {F(1, 2): 'h'}, {0.5: 'h'}, {(1, 2): 3}, {Point(1, 2): 3},
    {when(2020, 1, 1, tzinfo=UTC): 1}, {when(2020, 1, 1, 1, tzinfo=zone(1)): 1},
    set(), {1}, {1.0, 2}, {1, 2}, {'x'}, {(1, 2)}, frozenset(), frozenset([1]), frozenset([D(1), 2]), frozenset([frozenset([1])]), frozenset(['x']),
    frozenset(range(100)), set(map(float, range(100))),
    range(0), range(3), range(0, 3, 1), range(0, 4, 2), range(0, 3, 2), range(5, 5), range(1), range(0, 1, 7), slice(1, 2), slice(1.0, 2),
    datetime.date(2020, 1, 1), datetime.date(2020, 1, 2), when(2020, 1, 1), when(2020, 1, 1, fold=1), when(2020, 1, 1, 0, 0, 0, 1), when(2019, 12, 31),
    when(2020, 1, 1, tzinfo=UTC), when(2020, 1, 1, 1, tzinfo=zone(1)), when(2019, 12, 31, 19, tzinfo=zone(-5)), when(2020, 1, 1, 1, tzinfo=UTC),
    when(2020, 1, 1, tzinfo=zone(1)), when(1, 1, 1, tzinfo=UTC), when(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime.time(1), datetime.time(1, fold=1), datetime.time(1, tzinfo=UTC), datetime.time(2, tzinfo=zone(1)), datetime.time(0, tzinfo=zone(-1)),
    datetime.time(23, tzinfo=zone(-2)), td(0), td(1), td(seconds=86400), td(microseconds=1), td(-1), td(days=999999999), UTC, zone(0), zone(1),
    datetime.timezone(td(hours=1), 'X'),
    uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=2**127), uuid.UUID('00000000-0000-0000-0000-000000000001'),
    Point(1, 2), Point(1.0, 2), Point(1, 3), Size2(1, 2), Single(1), Single('x'), Single((1, 2)), Name('x'), Name('a'), Int(1), Int(2), Int(2**64), Float(1.0), Float(0.5),
    Raw(b'x'), Pair((1, 2)), Pair(('x',)), Pair(()), Frozen([1]), Rows([1]), Rows([]), Table({1: 2}), Table(),
    Color.RED, Color.GREEN, Color.TEXT, Color.PAIR, Size.SMALL, Size.BIG, Number.ONE, Number.TWO, Other.UNO, Perm.R, Text.X,
    http.HTTPStatus.OK, 200, Moment(2020, 1, 1, tzinfo=UTC), Moment(2020, 1, 1),
    Row(1), Row(1.0), Row(2), Row(Number.ONE), Row('x', (1, 2)), Row('x', Point(1, 2)),
    collections.OrderedDict(x=1, y=2), collections.OrderedDict(y=2, x=1), collections.Counter('x'), collections.defaultdict(int, x=1), collections.deque([1]),
    ipaddress.ip_address('127.0.0.1'), '127.0.0.1', pathlib.PurePosixPath('x'), int, str, len, ..., NotImplemented,
    time.struct_time(range(9)), tuple(range(9)),
]
try:
    import zoneinfo
    B = zoneinfo.ZoneInfo('Europe/Berlin')
    VALUES += [
        when(2020, 1, 1, 1, tzinfo=B), when(2020, 7, 1, 2, tzinfo=B), when(2020, 7, 1, tzinfo=UTC),  # winter and summer
        when(2020, 10, 25, 2, 30, tzinfo=B), when(2020, 10, 25, 2, 30, tzinfo=B, fold=1),               # shown twice
        when(2020, 10, 25, 0, 30, tzinfo=UTC), when(2020, 10, 25, 1, 30, tzinfo=UTC),
        when(2020, 3, 29, 2, 30, tzinfo=B), when(2020, 3, 29, 3, 30, tzinfo=B), when(2020, 3, 29, 1, 30, tzinfo=UTC),  # never
        when(2020, 1, 1, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Paris')), when(2020, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo('Europe/Paris')),
    ]
except Exception:  # before Python 3.9, or without a database
    pass

# And what chance makes of the same values.
chance = random.Random(int(sys.argv[3]))
share = float(sys.argv[4])  # of all pairs


def hashable(v):
    try:
        hash(v)
        return True
    except TypeError:
        return False


def numeric(v):
    return isinstance(v, (int, float, D, F)) and not isinstance(v, enum.Enum)


for _ in range(60):
    n = chance.choice([chance.randrange(-5, 6), chance.randrange(2**70), F(chance.randrange(-9, 9), chance.randrange(1, 9))])
    VALUES.append(chance.choice([F, lambda x: D(F(x).numerator) / F(x).denominator, lambda x: float(F(x)), lambda x: x])(n))
base = [v for v in VALUES if hashable(v) and not isinstance(v, slice)]
for _ in range(40):
    some = [chance.choice(base) for _ in range(chance.randrange(4))]
    VALUES.append(chance.choice([tuple, list, frozenset, lambda s: tuple(map(lambda x: (x,), s)), lambda s: {x: i for i, x in enumerate(s)}])(some))


def again(v):
    return pickle.loads(bytes(ForkingPickler.dumps(v)))


def unknown(v):
    """Whether the server may refuse to tell."""
    if isinstance(v, UNKNOWN):
        return True
    if isinstance(v, dict):
        return any(map(unknown, itertools.chain(v, v.values())))
    if isinstance(v, Row):
        return unknown(v.a) or unknown(v.b)
    return isinstance(v, (tuple, list, set, frozenset)) and any(map(unknown, v))


REFUSED = 'REFUSED'
counts = collections.Counter()


def attempt(f):
    try:
        return f()
    except (TypeError, decimal.InvalidOperation) as e:
        return REFUSED if 'cannot tell' in str(e) else TypeError
    except ValueError:
        return ValueError


def check(what, a, b, want, got):
    counts[what] += 1
    if counts[what] % 500 == 0:
        say('goes on')
    if got is REFUSED:
        counts['refused'] += 1
        if unknown(a) or unknown(b):
            return
    if ('Single(' in repr(a)) != ('Single(' in repr(b)) or isinstance(a, Single) != isinstance(b, Single):
        return  # it looks like a subclass of what its one field is
    if what in ('key', 'member', 'union') and isinstance(b, (Rows, Table)) and not b:
        return  # and an empty list of a class of its own like any object
    if isinstance(b, slice) and sys.version_info >= (3, 12) and got is TypeError and what != 'sort':
        return  # no key before, and none in the server
    if want != got:
        counts['wrong'] += 1
        say('wrong', what, repr(a)[:200], repr(b)[:200], 'python:', want, 'server:', got)


SyncManager.register('set')
m = connect()
VALUES = [again(v) for v in VALUES]
OTHERS = [again(v) for v in VALUES]
l = m.list()
for a in VALUES:
    l[:] = [a]
    for b in OTHERS:
        if chance.random() < share:
            check('count', a, b, int(a == b), attempt(lambda: l.count(b)))
for a in base:
    d, s = m.dict({a: 1}), m.set([a])
    local = {a: 1}
    for b in OTHERS:
        if chance.random() > share:
            continue
        want = attempt(lambda: b in local)
        check('key', a, b, want, attempt(lambda: b in d))
        if hashable(b):
            check('member', a, b, want, attempt(lambda: b in s))
    for b in chance.sample(OTHERS, 20):
        if hashable(b) and not isinstance(b, slice):
            want = attempt(lambda: len({a, b}))
            check('union', a, b, want, attempt(lambda: len(s.union([b]))))
            check('update', a, b, want, attempt(lambda: (d.update({b: 2}), len(d))[1]))
            d.clear()
            d[a] = 1

# Orders: whatever Python sorts, in the same way.
# Their classes have orders of their own: the server refuses them.
other = (collections.Counter, collections.deque, ipaddress.IPv4Address, pathlib.PurePath)


def ordered_by_class(v):
    """Whether an Enum in a row decides, or v is one: the server cannot see which of them is an IntEnum."""
    return isinstance(v, enum.Enum) or isinstance(v, (tuple, list)) and any(map(ordered_by_class, v))


plain = [v for v in VALUES if not isinstance(v, (Color, Size) + other) and (isinstance(v, enum.Enum) or not ordered_by_class(v))]
for a, b in itertools.product(plain, repeat=2):
    if chance.random() > share / 2 or any(isinstance(v, Rows) and not v for v in (a, b)):
        continue
    want = attempt(lambda: [x is a for x in sorted([a, b])])
    if isinstance(want, list):
        marked = [(0, a), (1, b)]
        l[:] = [a, b]
        got = attempt(lambda: (l.sort(), l[:])[1])
        want = sorted([a, b])
        if isinstance(got, list) and repr(got) != repr(want):
            check('sort', a, b, want, got)
        elif not isinstance(got, list):
            check('sort', a, b, want, got)
        counts['sort'] += 1
    elif not isinstance(a, UNKNOWN) and not isinstance(b, UNKNOWN):
        l[:] = [a, b]
        check('sort', a, b, want, attempt(lambda: (l.sort(), l[:])[1]))
for kind in (numeric, lambda v: isinstance(v, str), lambda v: type(v) is datetime.date, lambda v: type(v) is td,
             lambda v: isinstance(v, datetime.datetime) and type(v.tzinfo) is datetime.timezone, lambda v: type(v) is uuid.UUID, lambda v: isinstance(v, Number)):
    values = [v for v in VALUES if kind(v)] * 2
    chance.shuffle(values)
    for reverse in False, True:
        l[:] = values
        l.sort(reverse=reverse)
        got, want = l[:], sorted(values, reverse=reverse)
        assert list(map(repr, got)) == list(map(repr, want)), (got, want)
say('done', dict(counts))
