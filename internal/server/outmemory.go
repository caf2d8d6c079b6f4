package server

import "multiproc/internal/budget"

// outMemory is what an outbox has charged for its buffers. The outbox's mutex
// guards it.
type outMemory struct {
	share   *budget.Share // nil: nothing is charged
	charged int
	flight  int  // the size of the buffer that is being written
	short   bool // a charge was refused since the outbox was last empty
}

// reserve charges what a frame of about size bytes will take behind what is in
// buf. A buffer grows by copying, so that both are there for a moment.
func (m *outMemory) reserve(buf []byte, size int) error {
	if size <= cap(buf)-len(buf) || len(buf)+size <= keepOut {
		return nil
	}
	most := 2*size + len(buf)
	if err := m.share.Take(most); err != nil {
		m.short = true
		return err
	}
	m.charged += most
	return nil
}

// settle makes the charge what the buffers are.
func (m *outMemory) settle(buf []byte) {
	size := m.flight
	if cap(buf) > keepOut {
		size += cap(buf)
	}
	if size == 0 {
		m.short = false
	}
	switch {
	case size > m.charged:
		m.share.Force(size - m.charged)
	case size < m.charged:
		m.share.Give(m.charged - size)
	}
	m.charged = size
}

// patience is how much may wait for the client before it is not read from:
// little if there is no memory for more. What is sent then are errors.
func (m *outMemory) patience(limit int) int {
	if m.short {
		return min(limit, flushOut)
	}
	return limit
}
