//go:build linux

package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sys/unix"
)

// op is a call: what of key, arg and more it uses is its code's affair.
type op struct {
	code      code
	client    int // who makes it
	key       int
	arg, more int
}

// answer is what a call was told.
type answer struct {
	ok      bool
	out     int
	unknown bool // nobody has heard it
}

// now is a clock that all processes of the machine have in common.
func now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // there is none that could take its place
	}
	return t.Nano()
}

// A record of a journal: 0 whether it is a call (1), an answer that is false (2) or true
// (3); 8 code, 16 time, 24 key, 32 arg, 40 more, 48 out.
type record [7]int64

const (
	called = 1
	no     = 2
	yes    = 3
)

// journal is what one process writes down, in memory that the file f is: what is written
// is there when the process is killed, and costs no system call, which would leave few
// kills for the calls between.
type journal struct {
	f      *os.File
	client int
	list   []record
	n      int
}

// newJournal makes one for so many calls.
func newJournal(client, calls int) (*journal, error) {
	fd, err := unix.MemfdCreate("torture", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "torture")
	if err := f.Truncate(int64(2 * calls * int(unsafe.Sizeof(record{})))); err != nil {
		return nil, err
	}
	return openJournal(f, client)
}

func openJournal(f *os.File, client int) (*journal, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	n := len(b) / int(unsafe.Sizeof(record{}))
	return &journal{f: f, client: client, list: unsafe.Slice((*record)(unsafe.Pointer(&b[0])), n)}, nil
}

// close gives file and memory back.
func (j *journal) close() error {
	p := (*byte)(unsafe.Pointer(&j.list[0]))
	err := unix.Munmap(unsafe.Slice(p, len(j.list)*int(unsafe.Sizeof(record{}))))
	return errors.Join(err, j.f.Close())
}

func (j *journal) write(kind int64, o op, out int) {
	r := &j.list[j.n]
	j.n++
	*r = record{0, int64(o.code), now(), int64(o.key), int64(o.arg), int64(o.more), int64(out)}
	atomic.StoreInt64(&r[0], kind) // now it counts
}

// do makes a call, and writes it down.
func (j *journal) do(o op, call func(op) (answer, error)) error {
	j.write(called, o, 0)
	a, err := call(o)
	if err != nil {
		return fmt.Errorf("%v: %w", describe(o), err)
	}
	kind := int64(no)
	if a.ok {
		kind = yes
	}
	j.write(kind, o, a.out)
	return nil
}

// read is what was written. The last call may have no answer.
func (j *journal) read() (list []porcupine.Operation) {
	for _, r := range j.list {
		switch r[0] {
		case called:
			o := op{code: code(r[1]), client: j.client, key: int(r[3]), arg: int(r[4]), more: int(r[5])}
			list = append(list, porcupine.Operation{
				ClientId: j.client, Input: o, Call: r[2], Output: answer{unknown: true}, Return: math.MaxInt64,
			})
		case no, yes:
			last := &list[len(list)-1]
			last.Output, last.Return = answer{ok: r[0] == yes, out: int(r[6])}, r[2]
		}
	}
	return list
}
