// Package mp runs functions of a program in other processes, and gives the
// processes queues, pipes, values, arrays, counters, locks, dicts and lists to
// share: what Python's multiprocessing offers, for Go.
//
//	type job struct {
//		N     int
//		Total *mp.Value[int]
//	}
//
//	func add(ctx context.Context, j job) error {
//		return j.Total.Update(ctx, func(t *int) error { *t += j.N; return nil })
//	}
//
//	var Add = mp.Proc(add) // package level: parent and child register alike
//
//	func main() {
//		mp.Init() // first line of main
//		…
//		p, err := Add.Start(ctx, job{5, total})
//		…
//		err = p.Wait(ctx)
//	}
//
// # Tasks
//
// A child is this same binary, executed again: what stands before Init in
// main, and package initialization, runs in it too, and then the task instead
// of the rest of main. Nothing is inherited but the arguments: a child's
// package variables are its own. Everything that travels is in one argument,
// usually a struct with exported fields; handles of shared objects may be
// anywhere in it.
//
// An *os.File travels as handles do, in arguments and results, and through pipes
// and queues in memory. The receiver has a descriptor of its own for the same open
// file, and closes it; the sender's stays open. Sockets, such as a *net.TCPListener
// on which several processes accept, travel in programs that import
// multiproc/mp/mpnet.
//
// The context given to Start is the child's life; every other context is only
// how long the caller waits. A child never outlives the process that started it.
//
// # Death
//
// Any process may be killed at any instruction, by SIGKILL or the kernel's
// memory killer. What others share with it goes on: queues and pipes lose
// nothing that was acknowledged, values and elements are never half written,
// locks are released. Where a process was changing memory in place (under a
// Mutex, in Array.Update), the others are told by an *OwnerDiedError and
// decide with Repair.
//
// # Memory
//
// Each object in memory is an unnamed segment of shared memory that lives for as long as
// some process has a handle to it. Nothing has a name, so nothing is left
// behind. Close gives a handle back early.
//
// # Handles
//
// A Queue, a Dict or any other shared object is a handle. A pointer to it travels
// to other processes, in arguments, results, queues and pipes, and all handles to
// an object share it. Any number of goroutines may use a handle. Zero values are
// not usable: the New functions make handles. Close gives one back; calls that
// wait in it return ErrClosed. String names the object, in one line.
//
// # Places
//
// Queue, Value and Mutex, [Dict], [List], [Set] and [Namespace], [RWMutex],
// [RecursiveMutex], [Semaphore], [Cond], [Event], [Barrier], [WaitGroup] and [Once] live
// in this machine's memory, or, with the option [In], in a place: a manager, that is a
// process which programs on other machines and in Python reach as well. A program that moves from one to the other changes the New calls and
// nothing else; handles to both kinds travel alike.
//
//	m, err := manager.Dial(ctx, "/run/orders", manager.Options{})
//	…
//	stock, err := mp.NewDict[string, int](mp.In(m), mp.WithName("stock"))
//	…
//	left, err := stock.Add(ctx, "apples", -1)
//
// Methods of objects in places take effect at one moment, each in one round trip.
// After an error nothing was changed, unless it wraps ErrUnknownFate: the
// connection was lost for good. What several programs change at once is changed
// by Add, CompareAndSwap, SetDefault or Update, which lose nothing, and not by a
// Get that is followed by a Set.
//
// # Platforms
//
// Linux on amd64 and arm64. Elsewhere programs compile, and the first call
// that needs shared memory or a process returns an error that names the
// platform.
package mp
