package objects

import "multiproc/internal/store"

var _ store.Bounded = (*semaphore)(nil)

// Cap implements store.Bounded: how many permits may be owed. A client whose
// session broke knows by it how many can have come back.
func (s *semaphore) Cap() int { return int(s.initial) }
