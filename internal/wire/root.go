package wire

// The conversation with the family's root. Requests carry a number of the
// asker's, which the answer repeats: an asker that has given up goes on
// with other requests, and knows the late answer when it comes.

// Carrier is what a parcel is taken out of: one direction of a pipe, the one
// ring of a queue, or a process that awaits a result.
type Carrier struct {
	Object [16]byte
	Ring   uint8
}

func (v *Carrier) fields(c *coder) {
	c.id(&v.Object)
	c.u8(&v.Ring)
}

// Handle describes one handle in a parcel.
type Handle struct {
	ID    [16]byte // of the object
	Flags uint8    // what of it is counted
	Side  uint8    // of a pipe
	Ring  uint8    // of the object that its holder takes parcels out of
}

// handles is a list of them.
func (c *coder) handles(v *[]Handle) {
	n := c.size(len(*v), 19)
	if c.decoding && n > 0 {
		*v = make([]Handle, n)
	}
	for i := range *v {
		h := &(*v)[i]
		c.id(&h.ID)
		c.u8(&h.Flags)
		c.u8(&h.Side)
		c.u8(&h.Ring)
	}
}

// Adopt brings one descriptor to the family's root: a further socket on which
// it answers, for a child of the sender that has this place in the table.
type Adopt struct {
	Request   uint32
	Slot, Gen uint32
}

// Kind returns KindAdopt.
func (*Adopt) Kind() Kind { return KindAdopt }

func (m *Adopt) fields(c *coder) {
	c.u32(&m.Request)
	c.u32(&m.Slot)
	c.u32(&m.Gen)
}

// Offer deposits a parcel with the root: the handles of one message, whose
// descriptors are beside it in the same order. To is the carrier that the
// message goes into.
type Offer struct {
	Request uint32
	Parcel  [16]byte
	To      Carrier
	Handles []Handle
}

// Kind returns KindOffer.
func (*Offer) Kind() Kind { return KindOffer }

func (m *Offer) fields(c *coder) {
	c.u32(&m.Request)
	c.id(&m.Parcel)
	m.To.fields(c)
	c.handles(&m.Handles)
}

// Ack answers Adopt and Offer. Error is "" if they were carried out; Errno is
// the error number that it is, 0 if none.
type Ack struct {
	Request uint32
	Error   string
	Errno   uint32
}

// Kind returns KindAck.
func (*Ack) Kind() Kind { return KindAck }

func (m *Ack) fields(c *coder) {
	c.u32(&m.Request)
	c.str(&m.Error)
	c.u32(&m.Errno)
}

// Fetch asks for a parcel. The sender says with Settle what became of it.
type Fetch struct {
	Request uint32
	Parcel  [16]byte
}

// Kind returns KindFetch.
func (*Fetch) Kind() Kind { return KindFetch }

func (m *Fetch) fields(c *coder) {
	c.u32(&m.Request)
	c.id(&m.Parcel)
}

// Fetched answers Fetch. If Found, the descriptors are beside it; if not, and
// Error is "", the parcel was revoked: its message counts as never sent.
type Fetched struct {
	Request uint32
	Parcel  [16]byte
	Found   bool
	Error   string
	Errno   uint32
	Handles []Handle
}

// Kind returns KindFetched.
func (*Fetched) Kind() Kind { return KindFetched }

func (m *Fetched) fields(c *coder) {
	c.u32(&m.Request)
	c.id(&m.Parcel)
	c.bool(&m.Found)
	c.str(&m.Error)
	c.u32(&m.Errno)
	c.handles(&m.Handles)
}

// Settle says what became of a parcel. There is no answer.
type Settle struct {
	Parcel [16]byte
	What   uint8
	Unused []uint32 // with Taken: the handles that did not come to be
}

// What Settle says.
const (
	Committed = iota + 1 // by who offered it: its message is out
	Revoked              // by who offered it: its message will not be sent
	Taken                // by who fetched it: its message is here
	Returned             // by who fetched it: somebody else has the message, or it is still there
)

// Kind returns KindSettle.
func (*Settle) Kind() Kind { return KindSettle }

func (m *Settle) fields(c *coder) {
	c.id(&m.Parcel)
	c.u8(&m.What)
	c.u32s(&m.Unused)
}

// Hold says that a process, the sender or a child of its, has so many handles
// more (or fewer) by which parcels can be taken out of a carrier. There is no
// answer.
type Hold struct {
	Slot, Gen uint32
	Carrier   Carrier
	Delta     int32
}

// Kind returns KindHold.
func (*Hold) Kind() Kind { return KindHold }

func (m *Hold) fields(c *coder) {
	c.u32(&m.Slot)
	c.u32(&m.Gen)
	m.Carrier.fields(c)
	c.i32(&m.Delta)
}

// Reaped says that a child of the sender has ended, and that of the parcels
// which it offered to the sender only this one is in its answer; zero for none.
// There is no answer.
type Reaped struct {
	Slot, Gen uint32
	Parcel    [16]byte
}

// Kind returns KindReaped.
func (*Reaped) Kind() Kind { return KindReaped }

func (m *Reaped) fields(c *coder) {
	c.u32(&m.Slot)
	c.u32(&m.Gen)
	c.id(&m.Parcel)
}
