# What Python's pickle and ours are compared by. Run as:
#
#   values.py pickle        for each value and protocol a line: number, protocol, repr or "-", pickle in hex
#   values.py unpickle      reads such lines of number, protocol and pickle, and checks what they load
#   values.py order         the values that are compared: their pickles, then lines of "== < hash" for each pair
import array, collections, dataclasses, datetime, decimal, enum, fractions, functools, math, pathlib, pickle, queue, sys, uuid


class Plain:
    def __init__(self, **kw):
        self.__dict__.update(kw)


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a=None, b=None):
        self.a, self.b = a, b


class Named:
    def __new__(cls, *, size):
        self = object.__new__(cls)
        self.size = size
        return self

    def __getnewargs_ex__(self):
        return (), {"size": self.size}


class Reduced:
    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return Reduced, self.args


class Items(list):
    pass


class Entries(dict):
    pass


class Members(set):
    pass


class Colour(enum.Enum):
    RED = 1


class Mine(Exception):
    pass


@dataclasses.dataclass
class Record:
    name: str
    tags: list


Point = collections.namedtuple("Point", "x y")


def attributed():
    e = Mine("text", 3)
    e.code = [1]
    return e


def subclasses():
    i, e, m = Items([1, [2]]), Entries(a=1), Members({3})
    i.more, e.more, m.more = 1, i, "x"
    return [i, e, m]


def cycles():
    l = [1]
    l.append(l)
    d = {}
    d["self"] = d
    inner = []
    t = (1, inner)
    inner.append(t)
    long = (1, 2, 3, 4, inner)
    inner.append(long)
    p = Plain(name="p")
    p.me = [p]
    r_list = []
    r = Reduced(r_list)
    r_list.append(r)
    f_list = Plain()
    f = frozenset([f_list])
    f_list.f = f
    return [l, d, t, long, p, r, f]


def alike():
    nan = lambda: float("nan")
    many = [(Plain(), i) for i in (0, 0, 0, 0, 0)] + [(nan(),) for _ in range(10)]
    return [{Plain(), Plain()}, {(Plain(),), (Plain(),)}, {nan(): 1, nan(): 2, (nan(),): 3, (nan(),): 4}, set(many), frozenset(many), dict.fromkeys(many)]


def sharing():
    a, s, b = [1], "s" * 300, b"b" * 300
    return [a, a, (a, a), {"k": a}, s, s, b, b, "short", "short"]


plain = [
    None, True, False, 0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**63 - 1, 2**63, -2**63, -2**63 - 1,
    127, 128, -128, -129, 2**39, -2**39, 2**64, -2**64, 10**100, -10**100, 2**2040 - 1, 2**2041, -2**2039, 3**2000,
    0.0, -0.0, 1.0, 0.1, -2.5, 1e15, 1e16, 123456789012345680.0, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), float("nan"),
    2.0**53, 1e22, 1j, -1j, 1 + 2j, -0.0 + 2j, complex(1.5, -0.0), complex(0, float("nan")), complex(float("-inf"), 1e20),
    "", "a", "it's", 'say "it"', "it's \"it\"", "back\\slash\n\t\r\0\x1b\x7f", "ä€𝄞", "\u200b\u2028\xad\xa0", "\ud800", "a\udc80b", "\ud83d\ude00", "\U0010ffff", "x" * 255, "x" * 256, "ä" * 40000,
    b"", b"a", b"it's", b"\x00\xff\n'\"", b"x" * 255, b"x" * 256, b"\xff" * 70000, bytearray(), bytearray(b"ab\x80"),
    (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((),), ([],), [], [1], [[], [[]]], list(range(1000)), list(range(1001)), list(range(2500)), ["x"] * 70,
    {}, {"a": 1}, {1: "a", "b": None, (1, 2): [3], 1.5: {}, b"k": ()}, {i: i for i in range(2500)}, {str(i): i for i in range(20)}, {1: 2, True: 3},
    set(), {1}, frozenset(), frozenset({("a", 1)}), range(3), range(1, 10, 3), range(10**30), range(0), slice(1, 2, None), slice(None), slice(-1, None, 2**70), slice(False, True), ..., [NotImplemented],
    ValueError("x"), KeyError("k"), KeyError(1, [2]), StopIteration(), queue.Full, int, len, datetime.datetime,
]

opaque = [
    {1, 2, 3, "a"}, set(range(1500)), frozenset(range(30)), {frozenset({1, 2}), frozenset()},
    Plain(), Plain(a=1, b=[2]), Slots(1, [2]), Named(size=3), Reduced(1, "x"), Reduced(1, 2, 3, 4, [5]), attributed(), Colour.RED, Record("n", ["t"]), Point(1, 2),
    queue.Empty(), queue.Full(), FileNotFoundError(2, "no", "f"), UnicodeDecodeError("utf-8", b"x", 0, 1, "why"),
    datetime.datetime(2024, 2, 29, 1, 2, 3, 4), datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), datetime.date(1, 1, 1), datetime.timedelta(1, 2, 3),
    decimal.Decimal("1.20"), fractions.Fraction(1, 3), uuid.UUID(int=7), pathlib.PurePosixPath("a/b"), array.array("d", [1.5, 2]), array.array("i"), array.array("B", b"ab"),
    collections.OrderedDict(b=1, a=2), collections.deque([1, 2], 5), collections.defaultdict(list, {1: [2]}), collections.Counter("aab"), functools.partial(int, base=2),
    reversed([1, 2, 3]), iter([1, 2]), iter((1,)), map(str, [1]), zip([1], [2]), "x".join,
    subclasses(), cycles(), alike(), [sharing()],
]

values = plain + opaque


def canon(v, path=()):
    """What a value is, in a form that is equal only for what nobody can tell apart: types, order, signs, sharing."""
    if id(v) in path:
        return "cycle", len(path) - path.index(id(v))
    deeper = path + (id(v),)
    go = lambda x: canon(x, deeper)
    t = type(v)
    if v is None or isinstance(v, (bool, int, str, bytes, bytearray, type, range, slice)):
        return t, repr(v)
    if t in (float, complex):
        return t, repr(v)
    if isinstance(v, (list, tuple, collections.deque, array.array)):
        return t, [go(x) for x in v], go(getattr(v, "__dict__", None))
    if isinstance(v, (set, frozenset)):
        return t, sorted(map(repr, map(go, v))), go(getattr(v, "__dict__", None))
    if isinstance(v, dict):
        return t, [(go(k), go(x)) for k, x in v.items()], go(getattr(v, "__dict__", None))
    if isinstance(v, BaseException):
        return t, go(v.args), go(v.__dict__)
    if isinstance(v, Slots):
        return t, go(v.a), go(v.b)
    if isinstance(v, (Plain, Named, Reduced, Record)):
        return t, go(v.__dict__)
    if isinstance(v, functools.partial):
        return t, v.func, v.args, v.keywords
    if hasattr(v, "__next__"):
        return t, list(v)
    return t, v


def keeps(v):
    """Whether the last of the values is shared as sharing() made it."""
    return v[0] is v[1] is v[2][0] is v[2][1] is v[3]["k"] and v[4] is v[5] and v[6] is v[7]


def write():
    for i, v in enumerate(values):
        text = repr(v) if i < len(plain) else "-"
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            try:
                b = pickle.dumps(v, protocol)
            except (TypeError, AttributeError):
                continue  # this Python cannot pickle it
            print(i, protocol, text.encode("utf-8", "surrogatepass").hex() or "-", b.hex())


def read():
    bad = 0
    for line in sys.stdin:
        i, protocol, b = line.split()
        want = values[int(i)]
        try:
            got = pickle.loads(bytes.fromhex(b))
            reference = pickle.loads(pickle.dumps(want, max(int(protocol), 2)))
            if canon(got) == canon(reference) and (want is not values[-1] or keeps(got[-1])):
                continue
            what = repr(got)[:300]
        except Exception as e:
            what = "%s: %s" % (type(e).__name__, e)
        bad += 1
        print("value %s, protocol %s: %s came back as %s" % (i, protocol, repr(want)[:300], what))
    print("bad", bad)


ordered = [
    None, True, False, 0, 1, -1, 2, 2**53, 2**53 + 1, float(2**53), 2**63, float(2**63), -2**63, 2**64, 10**30, 1e30, 10**400, -10**400,
    0.0, -0.0, 1.0, 1.5, -1.5, float("inf"), float("-inf"), float("nan"), 1 + 0j, 1 + 1j, 0j,
    "", "a", "b", "ab", "ä", "\ud800", "\uffff", "\U00010000", b"", b"a", b"b", bytearray(b"a"), (), (1,), (1.0,), (True, 2), (1, "a"), (1, 2, 3), [], [1], [1, [2]], [1, [3]], [1, 2], [None],
    (1, [2]), {}, {"a": 1}, {"a": 1.0, "b": 2}, {"b": 2, "a": 1}, set(), {1}, {1, 2}, {True}, {2}, frozenset(), frozenset({1}), frozenset({1, 2}), (frozenset({1}),), (frozenset({1.0}),),
    range(0), range(5, 5), range(3), range(0, 3, 1), range(0, 5, 2), range(0, 6, 2), range(1, 2), range(1, 3, 5), slice(1, 2, None), slice(1, 2, 3), int, str, len, ..., NotImplemented,
    datetime.date(2024, 1, 1), datetime.date(2024, 1, 2), datetime.timedelta(1), datetime.timedelta(0, 5),
]


def order():
    for v in ordered:
        print(pickle.dumps(v, 4).hex())
    # What is compared has been pickled, so that nothing is the same object.
    left, right = [pickle.loads(pickle.dumps(v)) for v in ordered], [pickle.loads(pickle.dumps(v)) for v in ordered]
    for a in left:
        for b in right:
            try:
                less = str(a < b)
            except TypeError as e:
                less = "TypeError %s" % e
            try:
                hash(a), hash(b)
                hashed = "yes"
            except TypeError:
                hashed = "no"
            print(a == b, hashed, less)


{"pickle": write, "unpickle": read, "order": order}[sys.argv[1]]()
