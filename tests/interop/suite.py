"""CPython's own tests of managers, run against a manager that is not CPython's.

usage: suite.py --server PROGRAM --family unix|tcp [--only REGEXP]
       suite.py --family cpython

The test module of the Python that runs this file is used as it is. What is replaced is where managers come from:
multiprocessing.Manager(), the class that TestSyncManagerTypes starts, and the one of _TestMyManager are managers that
start PROGRAM, which is told where to listen and where the key is, and connect to it. With --family cpython nothing is
replaced: that shows what passes anyway.

Each test is one line of JSON on standard output: {"test": name, "outcome": "ok" | "skipped" | "failed", "why": text}.
"""

import argparse
import json
import multiprocessing
import multiprocessing.managers as managers
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import unittest

import test._test_multiprocessing as suite

SECONDS = 60  # for one test


class ServerProcess:
    """The server, with what the suite looks at of a multiprocessing.Process."""

    def __init__(self, program, family, authkey):
        self.directory = tempfile.mkdtemp(prefix="interop-")
        key = os.path.join(self.directory, "key")
        with open(key, "wb") as f:
            f.write(authkey.hex().encode())
        listen = "127.0.0.1:0" if family == "tcp" else os.path.join(self.directory, "socket")
        self.process = subprocess.Popen(
            [program, "-listen", listen, "-hexkey", key], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        word = b"listening on "
        line = self.process.stdout.readline()
        if not line.startswith(word):
            raise RuntimeError("the server said %r" % line)
        address = line[len(word):].strip().decode()
        if family == "tcp":
            host, port = address.rsplit(":", 1)
            address = (host, int(port))
        self.address = address

    @property
    def exitcode(self):
        return self.process.poll()

    def end(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
            shutil.rmtree(self.directory, ignore_errors=True)


class Remote:
    """A manager whose start() starts our server and connects to it."""

    program = family = None

    def start(self, initializer=None, initargs=()):
        if initializer is not None:
            raise TypeError("this server cannot run an initializer")
        self._process = ServerProcess(self.program, self.family, bytes(self._authkey))
        self._address = self._process.address
        self.connect()

    def shutdown(self):
        if self._process is None or self._process.exitcode is not None:
            return
        connection = self._Client(self._address, authkey=self._authkey)
        try:
            managers.dispatch(connection, None, "shutdown")
        finally:
            connection.close()
        self._process.end(10)

    def join(self, timeout=None):
        self._process.end(timeout or 10)


class RemoteSyncManager(Remote, managers.SyncManager):
    pass


def replace_managers(program, family):
    Remote.program, Remote.family = program, family

    def manager():
        m = RemoteSyncManager()
        m.start()
        return m

    class MyManager(Remote, managers.BaseManager):
        _registry = suite.MyManager._registry

    for name in suite.MyManager._registry:
        setattr(MyManager, name, getattr(suite.MyManager, name))
    multiprocessing.Manager = manager
    suite.MyManager = MyManager
    suite.TestSyncManagerTypes.manager_class = RemoteSyncManager


class Result(unittest.TestResult):
    """Prints each test as it ends."""

    def startTest(self, test):
        super().startTest(test)
        signal.alarm(SECONDS)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def say(self, test, outcome, why=""):
        print(json.dumps({"test": test.id().rsplit(".", 2)[-2] + "." + test.id().rsplit(".", 1)[-1]
                          if hasattr(test, "id") and "." in test.id() else str(test),
                          "outcome": outcome, "why": why}), flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say(test, "ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say(test, "skipped", reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(test, "failed", "".join(traceback.format_exception(*err)))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.addFailure(test, err)


def too_long(signum, frame):
    for t, f in sys._current_frames().items():
        if t != threading.get_ident():
            traceback.print_stack(f)
    raise TimeoutError("the test took longer than %d seconds" % SECONDS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server")
    parser.add_argument("--family", choices=["unix", "tcp", "cpython"], required=True)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if options.family != "cpython":
        replace_managers(options.server, options.family)
    signal.signal(signal.SIGALRM, too_long)

    classes = globals()
    suite.install_tests_in_module_dict(classes, "fork")
    classes["setUpModule"]()
    tests = unittest.TestSuite()
    for name, cls in sorted((n, c) for n, c in classes.items() if isinstance(c, type)):
        if (name.startswith("WithManager") or name == "TestSyncManagerTypes"):
            for test in unittest.defaultTestLoader.loadTestsFromTestCase(cls):
                if re.search(options.only, name + "." + test._testMethodName):
                    tests.addTest(test)
    result = Result()
    tests.run(result)
    classes["tearDownModule"]()
    sys.exit(0)


if __name__ == "__main__":
    main()
