// Package futex sleeps on a word of shared memory and wakes those who do.
//
// All operations are the non-private kind: the kernel finds a waiter by the
// page behind the address, so that processes that map the same page at
// different addresses meet.
package futex

import (
	"errors"
	"unsafe"
)

// The bits that the kernel reads and writes in the word of a robust lock
// (linux/futex.h).
const (
	Waiters   = 0x80000000 // somebody sleeps: the kernel wakes one when the owner dies
	OwnerDied = 0x40000000 // set by the kernel when the owner died
	TIDMask   = 0x3fffffff // the owner's thread id
)

// ErrTimeout is returned by Wait when the time is over.
var ErrTimeout = errors.New("futex: timed out")

// MaxWait is the largest number of words that one Wait can sleep on.
const MaxWait = 128

// Word is one condition to sleep on: the address and the value that it was
// seen to hold. Wait returns at once if any word holds another value.
type Word struct {
	Addr *uint32
	Old  uint32
}

// entry is struct futex_waitv: 24 bytes, the layout is the kernel's.
type entry struct {
	val   uint64
	uaddr uint64
	flags uint32
	_     uint32
}

const flagSize32 = 2 // FUTEX2_SIZE_U32; without FUTEX2_PRIVATE the word is shared

var _ [24]byte = [unsafe.Sizeof(entry{})]byte{}
