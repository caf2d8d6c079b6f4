package fdbroker

import (
	"context"
	"sync"

	"multiproc/internal/table"
)

// Root keeps the parcels of a family, in its first process.
//
// mu guards what the fields of all structs of this file say. It is not held
// while holders of pipes are counted: that takes a lock in shared memory, whose
// owner may be anybody. A parcel's descriptors and holders stay open as long as
// somebody uses it.
type Root struct {
	// Nested is called when a process that is not the root is about to start
	// another one, and before it may; Ended when a process has closed its
	// connection, which it mostly does by ending. Both may be nil. They are set
	// before the root serves anybody, and do not block.
	Nested, Ended func()

	open OpenEnd

	mu       sync.Mutex
	members  map[table.Ref]*member
	parcels  map[ID]*parcel
	carriers map[Carrier]*carrier
}

// member is a process of the family.
type member struct {
	ref     table.Ref
	gone    bool
	reaped  func(*drops)    // what its starter said before we saw its end
	offered map[ID]*parcel  // and not committed
	loans   map[ID]*loan    // fetched and not settled
	holds   map[Carrier]int // its handles
}

// loan is a parcel that a member has fetched, so many times.
type loan struct {
	p *parcel
	n int
}

// parcel is what was offered.
type parcel struct {
	Parcel
	ends  []Holder // by entry, nil where nothing is counted
	owner *member  // until it is committed

	loans    int
	bereft   bool // one who had it on loan is gone
	consumed bool // nobody can fetch it any more
	users    int  // the root itself, loans, and calls that use the descriptors
}

// carrier is something that parcels can be taken out of, or that stands in one.
type carrier struct {
	holds   int              // handles of members
	parcels map[*parcel]bool // that are in it
	in      map[*parcel]int  // that hold handles to it: how many
}

// NewRoot returns a root that holds nothing. self is its own place in the
// table.
func NewRoot(self table.Ref, open OpenEnd) *Root {
	r := &Root{
		open:    open,
		members: map[table.Ref]*member{}, parcels: map[ID]*parcel{}, carriers: map[Carrier]*carrier{},
	}
	r.join(self)
	return r
}

// Len is how many handles the root holds on behalf of messages under way.
func (r *Root) Len() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parcels {
		n += len(p.Entries)
	}
	return n
}

// join makes a member, which can take its children's answers.
func (r *Root) join(ref table.Ref) *member {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := &member{ref: ref, offered: map[ID]*parcel{}, loans: map[ID]*loan{}, holds: map[Carrier]int{}}
	r.members[ref] = m
	r.hold(m, ToProcess(ref), 1)
	return m
}

// leave gives back what a member had.
func (r *Root) leave(m *member) {
	out := drops{r: r}
	r.mu.Lock()
	m.gone = true
	if r.members[m.ref] == m {
		delete(r.members, m.ref)
	}
	for _, p := range m.offered {
		r.consume(p, &out)
	}
	for id, l := range m.loans {
		delete(m.loans, id)
		l.p.bereft = true
		for range l.n {
			r.giveBack(l.p, &out)
		}
	}
	for c, n := range m.holds {
		r.hold(m, c, -n)
		r.look(c, &out)
	}
	if m.reaped != nil {
		m.reaped(&out)
	}
	r.mu.Unlock()
	out.finish()
}

// offer takes the descriptors over.
func (r *Root) offer(ctx context.Context, m *member, in Parcel) error {
	p := &parcel{Parcel: in, ends: make([]Holder, len(in.Entries)), owner: m, users: 1}
	err := r.count(ctx, p)
	if err == nil {
		err = r.enter(m, p)
	}
	if err != nil {
		p.release()
		p.free()
	}
	return err
}

// enter makes a parcel known.
func (r *Root) enter(m *member, p *parcel) error {
	out := drops{r: r}
	defer out.finish()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parcels[p.ID] != nil || p.ID.process() != m.ref {
		return errUnknown(p.ID)
	}
	r.parcels[p.ID] = p
	m.offered[p.ID] = p
	r.carrier(p.To).parcels[p] = true
	for _, e := range p.Entries {
		if e.Flags&Carries != 0 {
			r.carrier(carrierOf(e)).in[p]++
		}
	}
	if p.To.Ring == ofProcess {
		// Its receiver will hear what has become of its sender.
		p.owner = nil
		delete(m.offered, p.ID)
		r.look(p.To, &out)
	}
	return nil
}

// count makes the root a holder of the ends in a parcel.
func (r *Root) count(ctx context.Context, p *parcel) error {
	for i, e := range p.Entries {
		if e.Flags&End == 0 {
			continue
		}
		h, err := r.open(p.FDs[i], e)
		if err != nil {
			return err
		}
		if err := h.Hold(ctx, table.Root, +1); err != nil {
			h.Close()
			return err
		}
		p.ends[i] = h
	}
	return nil
}

// release ends the root's own part in the ends of pipes.
func (p *parcel) release() {
	for _, h := range p.ends {
		if h != nil {
			_ = h.Hold(context.Background(), table.Root, -1)
		}
	}
}

// free gives back what was opened for the parcel.
func (p *parcel) free() {
	for _, h := range p.ends {
		if h != nil {
			h.Close()
		}
	}
	p.close()
}

func (r *Root) commit(m *member, id ID) {
	out := drops{r: r}
	r.mu.Lock()
	if p := m.offered[id]; p != nil {
		delete(m.offered, id)
		p.owner = nil
		r.look(p.To, &out)
	}
	r.mu.Unlock()
	out.finish()
}

func (r *Root) revoke(m *member, id ID) {
	out := drops{r: r}
	r.mu.Lock()
	if p := r.parcels[id]; p != nil && id.process() == m.ref {
		r.consume(p, &out)
	}
	r.mu.Unlock()
	out.finish()
}

// fetch lends a parcel to a member, whom it makes a holder of what is in it.
// Until done is called its descriptors stay open.
func (r *Root) fetch(ctx context.Context, m *member, id ID) (p *parcel, done func(), err error) {
	r.mu.Lock()
	p = r.parcels[id]
	if p == nil || m.gone {
		r.mu.Unlock()
		return nil, nil, ErrRevoked
	}
	p.users++
	l := m.loans[id]
	if l == nil {
		l = &loan{p: p}
		m.loans[id] = l
	}
	l.n++
	p.loans++
	p.users++
	for _, e := range p.Entries {
		if e.Flags&Carries != 0 {
			r.hold(m, carrierOf(e), +1)
		}
	}
	r.mu.Unlock()
	done = func() {
		out := drops{r: r}
		r.mu.Lock()
		r.unuse(p, &out)
		r.mu.Unlock()
		out.finish()
	}
	for i, h := range p.ends {
		if h == nil {
			continue
		}
		if err := h.Hold(ctx, m.ref, +1); err != nil {
			r.settle(m, id, false, nil, i)
			done()
			return nil, nil, err
		}
	}
	return p, done, nil
}

// settle ends a loan. The member keeps the handles in the parcel, except those
// that are unused, if it has taken the message. counted is how many entries'
// ends it was counted for.
func (r *Root) settle(m *member, id ID, taken bool, unused []uint32, counted int) {
	out := drops{r: r}
	r.mu.Lock()
	l := m.loans[id]
	if l == nil {
		if p := r.parcels[id]; p != nil && taken {
			r.consume(p, &out) // nobody wants it
		}
		r.mu.Unlock()
		out.finish()
		return
	}
	p := l.p
	if l.n--; l.n == 0 {
		delete(m.loans, id)
	}
	kept := make([]bool, len(p.Entries))
	if taken {
		for i := range kept {
			kept[i] = true
		}
		for _, i := range unused {
			if int(i) < len(kept) {
				kept[i] = false
			}
		}
		r.consume(p, &out)
	}
	p.users++
	for i, e := range p.Entries {
		if !kept[i] && e.Flags&Carries != 0 {
			r.hold(m, carrierOf(e), -1)
			r.look(carrierOf(e), &out)
		}
	}
	r.giveBack(p, &out)
	r.mu.Unlock()
	for i, h := range p.ends {
		if h != nil && !kept[i] && i < counted {
			_ = h.Hold(context.Background(), m.ref, -1)
		}
	}
	r.mu.Lock()
	r.unuse(p, &out)
	r.mu.Unlock()
	out.finish()
}

// giveBack ends one loan. A parcel that one who is gone had on loan is dropped
// with the last: the message is gone, too, or nobody can know.
func (r *Root) giveBack(p *parcel, out *drops) {
	p.loans--
	if p.loans == 0 && !p.consumed {
		if p.bereft {
			r.consume(p, out)
		} else {
			r.look(p.To, out)
		}
	}
	r.unuse(p, out)
}

func (r *Root) unuse(p *parcel, out *drops) {
	p.users--
	if p.users == 0 {
		out.free = append(out.free, p)
	}
}

// reaped drops what a child of m's offered to m and did not answer with.
func (r *Root) reaped(m *member, child table.Ref, answer ID) {
	out := drops{r: r}
	r.mu.Lock()
	drop := func(out *drops) {
		c := r.carriers[ToProcess(m.ref)]
		if c == nil {
			return
		}
		for p := range c.parcels {
			if p.ID.process() == child && p.ID != answer {
				r.consume(p, out)
			}
		}
	}
	if other := r.members[child]; other != nil {
		other.reaped = drop // what it wrote last is still to be read
	} else {
		drop(&out)
	}
	r.mu.Unlock()
	out.finish()
}

// drops are parcels that were given up under mu, to be finished without it.
type drops struct {
	r       *Root
	release []*parcel // the root no longer counts as a holder
	free    []*parcel // nobody uses the descriptors any more
}

func (d *drops) finish() {
	if len(d.release) > 0 {
		for _, p := range d.release {
			p.release()
		}
		d.r.mu.Lock()
		for _, p := range d.release {
			d.r.unuse(p, d)
		}
		d.r.mu.Unlock()
	}
	for _, p := range d.free {
		p.free()
	}
}
