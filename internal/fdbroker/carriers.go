package fdbroker

// carrier returns a carrier's record, which is made when it is first asked for.
func (r *Root) carrier(c Carrier) *carrier {
	k := r.carriers[c]
	if k == nil {
		k = &carrier{parcels: map[*parcel]bool{}, in: map[*parcel]int{}}
		r.carriers[c] = k
	}
	return k
}

// hold counts handles of a member. Those who count fewer look afterwards.
func (r *Root) hold(m *member, c Carrier, delta int) {
	delta = max(delta, -m.holds[c])
	if m.holds[c] += delta; m.holds[c] == 0 {
		delete(m.holds, c)
	}
	r.carrier(c).holds += delta
}

// look drops the parcels in a carrier that nobody can get at any more.
func (r *Root) look(c Carrier, out *drops) {
	k := r.carriers[c]
	if k == nil {
		return
	}
	if k.holds == 0 && len(k.in) == 0 && len(k.parcels) == 0 {
		delete(r.carriers, c)
		return
	}
	if k.holds > 0 || len(k.parcels) == 0 {
		return
	}
	seen := map[*carrier]bool{}
	if r.reachable(k, seen) {
		return
	}
	for k := range seen {
		for p := range k.parcels {
			if p.owner == nil && p.loans == 0 { // else we look again when that is over
				r.consume(p, out)
			}
		}
	}
}

// reachable reports whether anybody can come to hold a carrier: a member does,
// or it stands in a parcel that is not in a carrier yet, is on loan, or can be
// got at itself. seen collects the carriers on the way up; if none can be got
// at they hold nothing but each other.
func (r *Root) reachable(k *carrier, seen map[*carrier]bool) bool {
	if seen[k] {
		return false
	}
	seen[k] = true
	if k.holds > 0 {
		return true
	}
	for p := range k.in {
		if p.owner != nil || p.loans > 0 || r.reachable(r.carrier(p.To), seen) {
			return true
		}
	}
	return false
}

// consume gives a parcel up: nobody can fetch it any more, and the root holds
// nothing of what is in it. Those who have it on loan keep what they have.
func (r *Root) consume(p *parcel, out *drops) {
	if p.consumed {
		return
	}
	p.consumed = true
	delete(r.parcels, p.ID)
	if p.owner != nil {
		delete(p.owner.offered, p.ID)
		p.owner = nil
	}
	delete(r.carrier(p.To).parcels, p)
	out.release = append(out.release, p)
	for _, e := range p.Entries {
		if e.Flags&Carries != 0 {
			delete(r.carrier(carrierOf(e)).in, p)
			r.look(carrierOf(e), out)
		}
	}
	r.look(p.To, out)
}
