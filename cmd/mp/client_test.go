package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"multiproc/internal/pyconn/pyconntest"
	"multiproc/manager"
	"multiproc/mptest"
)

// objects are one of each type that get and put know.
var objects = []string{
	"--object", "jobs=Queue:2", "--object", "stock=dict", "--object", "log=list", "--object", "seen=set",
	"--object", `count=Value:"i",3`, "--object", "who=Namespace", "--object", "go=Event", "--object", "door=Lock",
}

func TestGetAndPut(t *testing.T) {
	t.Setenv(manager.EnvAuthkey, "sesame")
	address, _ := serving(t, append([]string{"--listen", filepath.Join(t.TempDir(), "s")}, objects...)...)
	for _, c := range []struct {
		args string // separated by spaces; the second is the address
		out  string
		says string // not empty: it fails and says this
	}{
		{`ls`, "NAME   KIND       SIZE    WAITERS\ncount  Value      -       0\ndoor   Lock       -       0\ngo     Event      -       0\njobs   Queue      0 of 2  0\nlog    list       0       0\nseen   set        0       0\nstock  dict       0       0\nwho    Namespace  0       0\n", ""},
		{`put jobs {"a":[1,2.5,null,"<"]}`, "", ""},
		{`put jobs 2`, "", ""},
		{`put jobs 3 --timeout=20ms`, "", "deadline"},
		{`get jobs`, "{\"a\":[1,2.5,null,\"<\"]}\n", ""},
		{`get jobs`, "2\n", ""},
		{`get jobs --timeout=20ms`, "", "deadline"},
		{`put stock apples 3`, "", ""},
		{`put stock 7 true`, "", ""},
		{`get stock`, "{\"7\":true,\"apples\":3}\n", ""},
		{`get stock apples`, "3\n", ""},
		{`get stock pears`, "", "pears"},
		{`put stock 3`, "", "a key and a value"},
		{`put stock apples nonsense`, "", "no JSON"},
		{`put log 1`, "", ""},
		{`put log 0 2`, "", ""},
		{`get log`, "[2]\n", ""},
		{`get log first`, "", "an index is a number"},
		{`put log 0 1 2`, "", "a key and a value"},
		{`put seen "x"`, "", ""},
		{`get seen`, "[\"x\"]\n", ""},
		{`get count`, "3\n", ""},
		{`put count 4`, "", ""},
		{`put count a 4`, "", "without a key"},
		{`get count`, "4\n", ""},
		{`put who name "me"`, "", ""},
		{`get who name`, "\"me\"\n", ""},
		{`get who`, "", "give KEY"},
		{`get go`, "false\n", ""},
		{`get door`, "", "nothing to read"},
		{`put door 1`, "", "nothing can be put"},
		{`get nobody`, "", "no object"},
		{`watch stock --every=0s`, "", "--every"},
	} {
		args := strings.Fields(c.args)
		args = append([]string{args[0], address}, args[1:]...)
		code, out, complaints := call(t, args...)
		if out != c.out || (code != 0) != (c.says != "") || !strings.Contains(complaints, c.says) {
			t.Errorf("%s: exit status %d, %q, %q", c.args, code, out, complaints)
		}
	}
}

// A call that waits is seen by ls.
func TestLsShowsWaiters(t *testing.T) {
	t.Setenv(manager.EnvAuthkey, "sesame")
	address, _ := serving(t, "--listen", filepath.Join(t.TempDir(), "s"), "--object", "jobs=Queue")
	got := make(chan string)
	go func() {
		_, out, _ := call(t, "get", address, "jobs")
		got <- out
	}()
	mptest.Eventually(t, func() bool {
		_, out, _ := call(t, "ls", address)
		return strings.Contains(out, "jobs  Queue  0     1\n")
	}, "one waits")
	if code, _, complaints := call(t, "put", address, "jobs", "1"); code != 0 {
		t.Error(complaints)
	}
	if out := <-got; out != "1\n" {
		t.Errorf("it got %q", out)
	}
}

// watch prints what is there, and what it becomes, until it is told to end.
func TestWatch(t *testing.T) {
	t.Setenv(manager.EnvAuthkey, "sesame")
	address, _ := serving(t, "--listen", filepath.Join(t.TempDir(), "s"), "--object", "jobs=Queue")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		var complaints bytes.Buffer
		done <- run(ctx, []string{"watch", address, "jobs", "--every=1ms"}, w, &complaints)
	}()
	want := func(line string) {
		t.Helper()
		b := make([]byte, len(line))
		if _, err := io.ReadFull(r, b); err != nil || string(b) != line {
			t.Fatalf("it prints %q, %v; want %q", b, err, line)
		}
	}
	want("0\n")
	call(t, "put", address, "jobs", `"x"`)
	want("1\n")
	stop()
	if code := <-done; code != 0 {
		t.Errorf("exit status %d", code)
	}
}

func TestObjectFlag(t *testing.T) {
	t.Setenv(manager.EnvAuthkey, "sesame")
	for text, want := range map[string]string{
		"jobs": "NAME=TYPE", "=dict": "NAME=TYPE", "a=Queue:x": "no JSON", "a=Queue:[1]": "an argument", "a=Nothing": "Nothing", "dict=dict": "a type has that name",
	} {
		code, _, complaints := call(t, "serve", "--listen", filepath.Join(t.TempDir(), "s"), "--object", text)
		if code == 0 || !strings.Contains(complaints, want) {
			t.Errorf("%s: exit status %d, %s", text, code, complaints)
		}
	}
	if code, _, complaints := call(t, "serve", "--listen", filepath.Join(t.TempDir(), "s"), "--object", "a=dict", "--object", "a=dict"); code != 1 || !strings.Contains(complaints, "two objects") {
		t.Errorf("exit status %d, %s", code, complaints)
	}
}

// Python programs meet at named objects: by the recipe of Python's own
// documentation, and by the line that serve prints.
func TestPythonsMeet(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	for _, listen := range []string{"127.0.0.1:0", filepath.Join(dir, "s"), "@mp-" + filepath.Base(filepath.Dir(dir))} {
		address, said, _ := announcing(t, append([]string{"--listen", listen, "--authkey-file", key}, objects...)...)
		goLine, err := said.ReadString('\n')
		if err != nil || !strings.HasPrefix(goLine, "Go:     m, err := manager.Dial(ctx, \""+address) {
			t.Errorf("%q, %v", goLine, err)
		}
		paste, err := said.ReadString('\n')
		paste, ok := strings.CutPrefix(paste, "Python: ")
		if err != nil || !ok {
			t.Fatalf("%q, %v", paste, err)
		}
		python := pyconntest.Pythons(t)[0]
		pyconntest.Start(t, python, `
import sys
from multiprocessing.managers import BaseManager

class QueueManager(BaseManager): pass
QueueManager.register('jobs')
address = sys.argv[1]
if address[0] == '@':
    address = '\0' + address[1:]
elif address[0] != '/':
    host, _, port = address.rpartition(':')
    address = (host, int(port))
m = QueueManager(address=address, authkey=open(sys.argv[2], 'rb').read().rstrip())
m.connect()
m.jobs().put('hello')
print('put', flush=True)
`, address, key).Want("put")
		pyconntest.Start(t, python, paste+`
m.stock()["apples"] = 3
m.count().value += 1
print(m.jobs().get(), m.stock()["apples"], m.count().value, flush=True)
`).Want("hello 3 4")
	}
}
