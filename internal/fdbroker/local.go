package fdbroker

import (
	"context"

	"multiproc/internal/fdpass"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// local is the broker of the root's own process.
type local struct {
	r *Root
	m *member
}

// Broker is the root as a broker of its own process.
func (r *Root) Broker() Broker {
	r.mu.Lock()
	defer r.mu.Unlock()
	return local{r, r.members[table.Root]}
}

func (l local) Offer(ctx context.Context, p Parcel) error { return l.r.offer(ctx, l.m, p) }
func (l local) Commit(id ID)                              { l.r.commit(l.m, id) }
func (l local) Revoke(id ID)                              { l.r.revoke(l.m, id) }
func (l local) Returned(id ID)                            { l.r.settle(l.m, id, false, nil, all) }

// all is more than the entries of any parcel.
const all = 1 << 30

// Fetch lends duplicates of the descriptors.
func (l local) Fetch(ctx context.Context, id ID) (Parcel, error) {
	p, done, err := l.r.fetch(ctx, l.m, id)
	if err != nil {
		return Parcel{}, err
	}
	defer done()
	out := Parcel{ID: p.ID, To: p.To, Entries: p.Entries}
	for _, fd := range p.FDs {
		dup, err := shm.DupFD(fd)
		if err != nil {
			out.close()
			l.Returned(id)
			return Parcel{}, err
		}
		out.FDs = append(out.FDs, dup)
	}
	return out, nil
}

func (l local) Taken(id ID, unused []int) { l.r.settle(l.m, id, true, indexes(unused), all) }

func indexes(list []int) (out []uint32) {
	for _, i := range list {
		out = append(out, uint32(i))
	}
	return out
}

func (l local) Hold(who table.Ref, c Carrier, delta int) { l.r.Hold(who, c, delta) }

// Hold counts handles of any member.
func (r *Root) Hold(who table.Ref, c Carrier, delta int) {
	out := drops{r: r}
	r.mu.Lock()
	if m := r.members[who]; m != nil {
		r.hold(m, c, delta)
		if delta < 0 {
			r.look(c, &out)
		}
	}
	r.mu.Unlock()
	out.finish()
}

func (l local) Reaped(child table.Ref, answer ID) { l.r.reaped(l.m, child, answer) }

// Connect makes a connection that this root serves until its other end is
// closed.
func (l local) Connect(_ context.Context, child table.Ref) (*fdpass.Conn, error) {
	return l.r.Connect(child)
}

// Connect makes a connection that this root serves until its other end is
// closed.
func (r *Root) Connect(child table.Ref) (*fdpass.Conn, error) {
	ours, theirs, err := fdpass.Pair()
	if err != nil {
		return nil, err
	}
	r.adopt(ours, child)
	return theirs, nil
}

// adopt makes the process at the other end of conn a member, and serves it.
func (r *Root) adopt(conn *fdpass.Conn, who table.Ref) {
	m := r.join(who)
	go func() {
		r.serve(conn, m)
		r.leave(m)
		call(r.Ended)
	}()
}
