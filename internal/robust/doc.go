// Package robust has locks and wake-ups in shared memory that survive the
// death of their users at any instruction.
//
// # Ownership
//
// The kernel releases a robust lock when the thread dies whose id is in the
// lock word and on whose robust list the lock stands (set_robust_list(2)).
// Goroutines move between threads, so a process owns its locks through one
// thread, the keeper: a goroutine locks itself to its thread for the life of
// the process and registers a list; every lock that the process holds carries
// the keeper's thread id and hangs on the keeper's list, whichever goroutine
// took it. When the process dies in any way, the kernel walks the list, sets
// OwnerDied in each word and wakes one waiter.
//
// # Waking
//
// A wake-up can be lost in two ways only: the one who should wake dies
// between its store and its wake, or the one who was woken dies before it
// passes the news on. Both are an unclean death, and every unclean death in
// the family changes one word, the death word, on which every sleeper sleeps
// beside its own (see SetDeathWord). A bounded re-check with growing pauses
// is the last net.
package robust
