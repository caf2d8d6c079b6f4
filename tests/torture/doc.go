// Command torture looks for faults in shared objects where tests of one call each find
// none: it makes random calls in great number, and kills.
//
//	go run multiproc/tests/torture                       # five minutes of everything
//	go run multiproc/tests/torture -for 1h -part histories -only dict
//	go run multiproc/tests/torture -part histories -only 'queue in memory' -rounds 1 -seed 17
//
// It plays its parts one after the other, prints a table of what each has done, and ends
// with status 1 if there was a violation. A seed stands for the same calls and the same
// deaths; where several processes work, the moments are the machine's.
//
// # Differential
//
// The same random calls are made to an object in memory, to one in a manager, and to a
// model of some lines: all must give the same answers and errors. Of calls whose answers
// differ the shortest sequence is printed that was found by leaving out calls.
//
// # Failpoints and images
//
// These are the library's own crash tests, which need its source: they are built with the
// tag mpcrash, which puts failpoints between the stores. Part failpoints kills a process at
// each of them, as found in the source. Part images has random histories in one process and
// copies the memory at every store; survivors open the copies, and find the state before or
// after. With each round the histories are others. One round takes minutes, so failpoints
// are played once.
//
// # Histories
//
// A round is four processes, some hundred calls, and two SIGKILLs. Each process writes a
// call down before it makes it and the answer when it has it, in memory that outlives it.
// A call under way at a kill is a maybe: it may have happened at any time since, or never.
// Death is a call, too: that of whoever gives back what the dead had. After a round the
// parent looks at what is there, and that is the last part of the history. Then it is
// checked that all of it could have happened one call after the other: that the object is
// linearizable, also across deaths; of a lock, that it never has two holders, and that a
// death is told of. The algorithm is that of Lowe, "Testing for
// linearizability" (2017), in the implementation of package porcupine. A history that takes
// it too long is counted as undecided, and is no violation.
//
// # Storms
//
// Five processes work on several objects at once while some of them are killed, others
// stopped and continued, and new ones started: also with few descriptors, with hardly any
// address space left and a neighbour that takes memory and gives it back, and all on one
// core. Calls that are refused for want of memory or descriptors are counted, and must have
// changed nothing. What is true at every moment is looked for by all: the sum of accounts
// between which money moves, pairs that are members together, one holder of a lock. In the
// end all permits, locks and leases of the dead must be back, and no item lost that was
// put. The longest wait for one of these is in the table.
//
// # Hostile
//
// Three processes make random calls of one object in memory, and one of them flips bits in
// its segment meanwhile, overwrites words, or zeroes them: half of that at the beginning,
// where headers, locks and control blocks are, the rest wherever anything was ever written.
// A call may answer what it likes, or say that the object is corrupt; none may crash, and all
// must end. Three things are let be. Unlock panics, as it says, if the memory says that the
// lock is not held. Whoever comes late may be refused the object. And the table of the
// family, in which all of its processes are, is not damaged: what it says is believed, for
// instance that a process lives whose locks are therefore left alone; a package test flips
// each bit of it. The kernel walks the list of a dead process's locks, which lie in these
// segments, too: a list that is cut leaves locks to be taken back by those who wait for them,
// and a word that such a list leads to is changed only if it names the dead thread.
package main
