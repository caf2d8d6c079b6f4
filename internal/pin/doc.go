// Package pin keeps a goroutine running while it is inside a lock that other
// processes wait for.
//
// Go's scheduler stops a goroutine after 10 ms, in the middle of whatever it
// does, and lets it wait for its turn: behind a hundred busy goroutines that
// takes a second. The collector stops it too, to make it help. A sync.Mutex
// bears that, as its waiters belong to the same scheduler. Behind a lock in
// shared memory stand the threads of other processes, who have nothing to do
// with that load and would stand still for as long: 2.0 s were measured.
//
// Between On and Off the goroutine is neither preempted nor made to help the
// collector. Only the kernel takes its processor away, for its usual few
// milliseconds.
//
// # Rules
//
// What runs in between is a few microseconds long, or a copy. It must not block
// (no channel, no sync.Mutex, no system call except by RawSyscall), not panic,
// and not call code of the user: the runtime ends the process if a pinned
// goroutine parks or panics. It should not allocate. Off is not deferred.
//
// # How
//
// The runtime has this for itself and sync.Pool, and keeps the two functions
// open for others by linkname ("Do not remove or change the type signature", in
// runtime/proc.go of Go 1.26). Should a later linker refuse them, the build tag
// mpnopin makes On and Off empty: everything works on, and stalls as described
// are possible. The tag mpcrash does so too, because its hooks run in the middle
// of such sections and do what they like.
//
// Cost: On and Off together take about 2 ns.
package pin
