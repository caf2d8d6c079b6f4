// Package dict is a hash map in shared memory, in the order of insertion, of which
// readers take no lock and a death leaves nothing half done.
//
// The keys are spread over shards by the first bits of their hashes. Each has a lock, a
// journal, a heap of its own (package arena), an extendible hash table: a directory, by
// the next bits of the hash, of tables of up to 4 KiB; and a log of its entries, in the
// order in which they came. All entries of a dict are counted as they are made, so the
// order of the dict is that of the logs merged.
//
// One store makes each change known, the last one that readers see:
//
//	value of an entry   the state of the entry, which says where the value is, and its version
//	new entry           its state; slot and log lead to it before, and find it to be none
//	deleted entry       its state
//	entry that is over  none: its time is up, see ttl.go
//	table split         each word of the directory for its keys: both ways lead to them
//	several entries     the word "batch" of the dict, see batch.go
//	all cleared         the word "gen" of the dict
//
// What goes with it is written down in the journal before.
package dict
