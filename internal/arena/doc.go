// Package arena is the memory of a container: a segment that grows, changed by
// transactions of which a death leaves all or nothing.
//
// # Space
//
// A segment is one sparse file of MaxSize bytes; it is used from the beginning on, and
// each process maps what is in use, in windows. Nothing in it is ever unmapped. So
// readers need no lock and leave no trace: what they follow can always be read, and
// what they have read they check afterwards (see Heap.moves).
//
// # Transactions
//
// Whoever holds the lock of a part writes down the stores of a change in the part's
// journal, as pairs of an offset and a value, then how many there are. That one store
// decides: before it nothing has happened that anybody can see, after it the change is
// made, by the one who wrote it or by whoever inherits the lock. Stores can be done
// twice, so an heir who finds a number in the journal does all of them again.
//
// Readers see the stores one by one, in the order in which they were written down. A
// change must be such that each step is right for them.
//
// # Blocks
//
// A Heap gives out blocks of memory from the runs that it has: pieces of the segment,
// filled from the beginning on. A block that is given back is marked as dead and left
// where it is. When a good part of the heap is dead, the living blocks of the run with
// the most dead ones are moved to another run, by their owner, who knows who refers to
// them; the run is empty then, and used again, or given back to the kernel. So memory
// does not get into pieces, whatever sizes come and go.
package arena
