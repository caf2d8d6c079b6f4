// Command torture has processes work on shared objects while others of them are killed,
// writes down what each call was told, and checks that all of it could have happened one
// call after the other: that the object is linearizable, also across deaths.
//
//	go run multiproc/tests/torture                       # a minute of everything
//	go run multiproc/tests/torture -for 1h -only dict
//	go run multiproc/tests/torture -seed 17 -rounds 1 -only 'queue in memory'
//
// A round is four processes, some hundred calls, and two SIGKILLs. Each process writes a
// call down before it makes it and the answer when it has it, in memory that outlives it.
// A seed gives the same calls and the same deaths again, but not the same moments: these
// are the machine's. A call under way at a kill is a maybe: it may have happened at any time
// since, or never. Death is a call, too: that of whoever gives back what the dead had. After
// a round the parent looks at what is there, and that is the last part of the history.
//
// What is checked is by the algorithm of Lowe, "Testing for linearizability" (2017), in the
// implementation of package porcupine. A history that takes it too long is counted as
// undecided, and is no violation.
package main
