// Package executor is what must be written to run the items of tasks somewhere:
// the interface between mp.Task's Map, Each and Submit, and what has the processes,
// multiproc/pool for example. Who only uses pools needs nothing of it.
//
// Package mp turns arguments into bytes and bytes into results, keeps track of
// what its caller has asked for, and calls the function in the process where an
// item has arrived. An Executor decides which process that is, how many items go
// there at once, and what happens when it dies.
package executor

import (
	"context"
	"io"
	"sync"

	"multiproc/internal/fence"
)

// Executor runs items of tasks in processes of its choice. Any number of
// goroutines may use it at once.
type Executor interface {
	// Open begins a stream of items of one task. The stream's life is ctx: when
	// it ends, what is not done is given up, and Next returns its error.
	Open(ctx context.Context, job Job) (Stream, error)
}

// Job says what a stream of items is.
type Job struct {
	Task string // its name, under which Lookup finds it
	// ArgSize is the size of each argument in bytes, or -1 if they have
	// different ones.
	ArgSize int
	// Carried is for Extract, in the process where the items run.
	Carried []string
	// Ordered results come in the order of the items.
	Ordered bool
	// Deliver is called instead of Next, with each Results, by a goroutine of
	// the executor that must not be kept waiting; nil if the caller calls Next.
	Deliver func(Results)
	// Wait says that the caller calls Wait of the stream, if it is a Waiter, as
	// soon as it has put its item.
	Wait bool
}

// Waiter is a Stream that can make use of a caller who has nothing to do until its
// item is done.
type Waiter interface {
	// Wait returns when done is closed, which Job.Deliver does.
	Wait(done <-chan struct{})
}

// Stream takes the items of a Job and gives their results. One goroutine may call
// Put and End while another one calls Next; Close may be called at any time.
type Stream interface {
	// Put hands over the next item, and waits while there are as many under way
	// as the executor has room for. It returns the error of encoding the
	// argument, which concerns this item alone and is reported by Next as well,
	// or io.ErrClosedPipe when no further items are wanted.
	Put(arg Argument) error
	// Reserve is for arguments whose size Job.ArgSize gives. It returns memory for
	// some of them, one behind the other, and waits as Put does. Commit puts the
	// next one that was written there, and reports whether there may be another. They
	// must not be used unless Plain is true.
	Plain() bool
	Reserve() ([]byte, error)
	Commit() bool
	// End says that there are no more items.
	End()
	// Next waits for results. It returns io.EOF after the last of them, and
	// otherwise why the stream came to its end early. What it returned before is
	// not to be used any more; so who has called it does so until there is an
	// error, also after Close.
	Next() (Results, error)
	// Close gives up what is not done; Next then returns cause, or io.EOF if
	// that is nil. It does not wait.
	Close(cause error)
}

// Argument is the argument of one item. It is valid during Put only.
type Argument interface {
	// Append appends the argument's bytes to b. If it holds handles, the error is
	// ErrHandles, and Value is what can travel in an mp.Conn[any, …].
	Append(b []byte) ([]byte, error)
	Value() any
	// Any is the argument itself.
	Any() any
}

// Results are those of some items that follow each other. They are either
// records, or the value or the error of a single item.
type Results struct {
	First   int    // index of the first item, from 0
	Count   int    // how many
	Records []byte // of each item one, see Cut
	Value   any    // of a single item: what Runner.CallValue returned
	Err     error  // of a single item, which has no result because of it
	Worker  string // name of the process
	PID     int
	// Failures is how many of the records are failures.
	Failures int
}

// Runner calls the function of a task, in the process to which an item has come.
type Runner interface {
	// ArgSize is that of Job.
	ArgSize() int
	// Call calls the function with the argument that arg encodes, and appends a
	// record of what it returned to b. If the result has handles in it, Call
	// returns it as value, and b as it was. If the function ended its goroutine
	// with runtime.Goexit, Call does not return.
	Call(ctx context.Context, arg, b []byte) (record []byte, value any)
	// CallAll calls the function with arguments of the size ArgSize, one after the
	// other, until none is left, or one has another result than a record that fits
	// into what is left of b. That of the last one called is what it returns; the
	// others are in b, and counted by p.
	CallAll(ctx context.Context, args, b []byte, p *Progress) (record []byte, value any)
	// Describe is an argument for people, and DescribeValue one that CallValue
	// takes.
	Describe(arg []byte) string
	DescribeValue(arg any) string
	// CallValue is Call with an Argument's Value.
	CallValue(ctx context.Context, arg any, b []byte) (record []byte, value any)
}

// ErrClosed is what Put returns when no further items are wanted.
var ErrClosed = io.ErrClosedPipe

var runners sync.Map // of a task's name, Runner

// Register makes a task known. Package mp calls it.
func Register(task string, r Runner) { runners.Store(task, r) }

// Lookup finds the runner of a task that this program has.
func Lookup(task string) (Runner, bool) {
	r, ok := runners.Load(task)
	if !ok {
		return nil, false
	}
	return r.(Runner), true
}

// Progress says how far a worker is with its items, in memory that outlives it.
type Progress struct {
	Count int // items that have a record
	Used  int // bytes of the records
	At    *uint64
	Done  *uint64
}

// CountBits is how many bits of the word Done are the number of items; the rest is
// the bytes of their records.
const CountBits = 28

// Begin says that the next n items are about to run, one after the other. Who dies
// between two of them is taken to have died of the second, so n is more than 1 only
// for items of some nanoseconds.
func (p *Progress) Begin(n int) { fence.StoreRelease64(p.At, uint64(p.Count+n)) }

// End says that the record of the next item, of so many bytes, is complete.
func (p *Progress) End(n int) { p.Reach(p.EndAt(p.Point(), n)) }

// Point is a value of the word Done.
type Point uint64

// Point is how far it is.
func (p *Progress) Point() Point { return Point(p.Count) | Point(p.Used)<<CountBits }

// EndAt is End for a loop: from one point to the next, without a note of it in p,
// which Reach makes at last.
func (p *Progress) EndAt(at Point, n int) Point {
	at += 1 + Point(n)<<CountBits
	fence.StoreRelease64(p.Done, uint64(at))
	return at
}

// Reach says in p how far it is.
func (p *Progress) Reach(at Point) { p.Count, p.Used = int(at&(1<<CountBits-1)), int(at>>CountBits) }
