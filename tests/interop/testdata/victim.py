# Works on all objects of the storm until it is stopped or killed, and writes down what it does before and after it.
import ctypes
import random
import traceback
import warnings


class Worker:
    def __init__(self, number, directory):
        self.n, self.next = number, number * 1000000
        self.log = os.open(os.path.join(directory, '%d.log' % number), os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def open(self):
        self.m = connect('tools', 'items', 'shelf', 'inside', 'born', mutex=managers.AcquirerProxy)
        self.tools = tools = self.m.tools()
        self.stop, self.rlock, self.semaphore = tools['stop'], tools['rlock'], tools['semaphore']
        self.bounded, self.condition, self.event = tools['bounded'], tools['condition'], tools['event']
        self.items, self.shelf, self.inside, self.mutex = self.m.items(), self.m.shelf(), self.m.inside(), self.m.mutex()
        work = 4 * [self.put, self.get] + [self.lock, self.relock, self.notify, self.count, self.nest, self.iterate, self.flag]
        born = self.m.born()
        born.put(self.n)
        del born
        return work

    def write(self, what, *args):
        os.write(self.log, (' '.join([what] + [str(a) for a in args]) + '\n').encode())

    def run(self):
        try:
            work = self.open()
            while not self.stop.is_set():
                random.choice(work)()
            self.write('done')
        except BaseException as e:
            self.write('error', repr(e).replace('\n', ' '), traceback.format_exc().replace('\n', ' | '))
            raise

    def put(self):
        self.next += 1
        self.write('put', self.next)
        try:
            self.items.put({'ID': self.next, 'Load': 'x' * random.randrange(2000)}, timeout=0.002)
            self.write('has put', self.next)
        except queue.Full:
            self.write('full', self.next)

    def get(self):
        self.write('get')
        try:
            item = self.items.get(timeout=0.002)
            self.write('got', item['ID'])
        except queue.Empty:
            self.write('empty')

    def critical(self, name):
        """What nobody else may do at the same time."""
        self.inside[name] = self.n
        now = self.inside[name]
        if now != self.n:
            self.write('error', '%d is inside of %s with me' % (now, name))

    def lock(self):
        with self.mutex:
            self.critical('mutex')

    def relock(self):
        with self.rlock:
            with self.rlock:
                self.critical('rlock')

    def notify(self):
        with self.condition:
            self.critical('condition')
            self.condition.wait(random.random() * 0.005)
            self.critical('condition')
            self.condition.notify()

    def count(self):
        with self.semaphore:
            pass
        self.bounded.acquire()
        self.bounded.release()

    def flag(self):
        self.event.set() if random.random() < 0.5 else self.event.clear()
        self.event.wait(0.001)

    def nest(self):
        d = self.m.dict({'by': self.n})
        self.shelf.append(d)
        d['inner'] = self.m.list([1])
        del d
        try:
            self.shelf[-1]['inner'].append(self.n)
            if len(self.shelf) > 16:
                self.shelf.pop(0)['by']
        except (IndexError, KeyError):
            pass  # somebody else's, and not ready yet; or gone

    def iterate(self):
        self.inside['%d' % random.randrange(8)] = self.n
        try:
            for key in self.inside:
                pass
        except RuntimeError:
            pass  # the dict has changed


def victim(number):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with its nursery
    Worker(number, sys.argv[3]).run()


directory, what = sys.argv[3:5]
if what != 'nursery':  # one, for as long as the storm lasts
    Worker(int(what), directory).run()
    say('done')
else:
    # A nursery: makes a process for each number that it is told, and says its pid.
    warnings.simplefilter('ignore')  # about fork and the thread that watches standard input
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orders = os.open(os.path.join(directory, sys.argv[5]), os.O_RDWR)
    say('ready')
    while True:
        number = int(os.read(orders, 8))
        pid = os.fork()
        if pid == 0:
            try:
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # ends with its nursery
                random.seed(number)
                Worker(number, directory).run()
            finally:
                os._exit(0)
        say(pid)
