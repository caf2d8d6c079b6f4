// Package ledger has objects of synchronization in shared memory that are made of
// accounts: each process of a family writes down what it has of the object, and
// what is left is what the living do not have.
//
// So the truth is never a total. A total that a killed process left wrong could not
// be told from a right one; an account can, for the table of the family says which
// of its processes live. Totals are kept beside, and whoever inherits the lock of an
// object from a dead process counts again. Everybody who waits sleeps on the
// family's death word as well, and looks through the accounts when it has changed.
//
// Accounts are written under the object's lock, which is robust. What takes more
// than one store is written down first, in a journal of one entry, and the heir of
// the lock does it again from there.
package ledger

import (
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// Family are those who have accounts.
type Family interface {
	Self() table.Ref
	Live(table.Ref) bool
}

var _ Family = (*table.Table)(nil)

// slots is how many accounts there are, one for each slot of the family's table.
const slots = table.MaxProcesses

// accountsAt is where accounts begin: at a page of their own behind the header of the
// segment, so that an object of
// a small family takes two or three pages of memory.
const accountsAt = 4096 - shm.HeaderSize
