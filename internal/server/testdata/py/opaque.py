import collections, datetime, decimal, fractions, pathlib, uuid


class Mine:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is Mine and other.x == self.x


Point = collections.namedtuple('Point', 'x y')


class Sub(list):
    pass


m = connect()
d = m.dict()
sub = Sub([1, 2])
sub.attribute = 'kept'
for x in [Mine([1, {2: 3}]), Point(1, 2), decimal.Decimal('1.50'), fractions.Fraction(1, 3), datetime.datetime(2024, 1, 2, 3, 4, 5, 6),
          datetime.timedelta(1, 2, 3), uuid.UUID(int=5), pathlib.PurePosixPath('/a/b'), collections.OrderedDict([('b', 1), ('a', 2)]),
          collections.Counter('abca'), collections.defaultdict(list, {1: [2]}), collections.deque([1, 2], 5), sub, Mine, len, print,
          [Mine(1), Mine(2)]]:
    try:
        d['x'] = x
    except RemoteError as e:
        say('refused', str(e).splitlines()[-2])
        break
    y = d['x']
    assert type(x) is type(y) and x == y, (x, y)
    assert repr(x) == repr(y) or isinstance(x, (Mine, list)), (x, y)
else:
    d['x'] = sub
    equal(d['x'].attribute, 'kept')
    say('ok')
