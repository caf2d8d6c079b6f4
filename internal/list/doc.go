// Package list is a sequence in shared memory, of which readers take no lock and a death
// leaves nothing half done.
//
// It is a counted B+tree: leaves of up to 256 words, which are items or say where the
// block of one is (package cell), below nodes of up to 64 children with how many items
// stand before each. There is one lock of those who change it, one journal, and one heap
// (package arena).
//
// What a tree is made of is never changed in shape. Who changes the list copies the leaf
// and the nodes above it, into memory that is nobody's, and then one store makes the
// change known: the word "body" of the list, which leads to length and root. So a reader
// has one tree in view from beginning to end, and it is right if body is still the same
// afterwards. Some changes are made where the items stand, as they are frequent and readers
// see them as one store: that of an item's word, and that of the length by Append and by
// Pop of the last. All go through the journal, so that a death leaves all or nothing.
//
// The nodes and items that a change leaves behind are written down in a list of the
// doomed, with the same store of the journal, and given back some at a time by those who
// change something later. Many new items are made a leaf at a time before the change;
// each is written down in a draft, so that whoever inherits the lock gives them back.
//
// A list of changes, a flat vector, or locks at each node were rejected: the first makes
// readers pay, the second moves half of the list for an item in the middle and needs a
// journal as large to survive it, the third makes readers write.
package list
