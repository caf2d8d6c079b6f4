package wire

// Start makes a waiting child run a task. The descriptors beside it are those
// of the handles in Args, in the order in which Args mentions them.
type Start struct {
	Task        string // the name under which the function is registered
	Name        string // what the process calls itself
	Identity    string // its place in the family, such as "1:3:2"
	ParentPID   int32
	ParentName  string
	GraceNanos  int64 // from Cancel to the end by force
	MaxProcs    int32 // 0: the runtime's own choice
	MemoryLimit int64 // soft limit of the Go heap in bytes, 0: none

	Spare         bool  // the child was started before this task was known
	IgnoreSignals bool  // those that would end the task
	Programs      int32 // what becomes of those that the task starts

	Args []byte
}

// Kind returns KindStart.
func (*Start) Kind() Kind { return KindStart }

func (m *Start) fields(c *coder) {
	c.str(&m.Task)
	c.str(&m.Name)
	c.str(&m.Identity)
	c.i32(&m.ParentPID)
	c.str(&m.ParentName)
	c.i64(&m.GraceNanos)
	c.i32(&m.MaxProcs)
	c.i64(&m.MemoryLimit)
	c.bool(&m.Spare)
	c.bool(&m.IgnoreSignals)
	c.i32(&m.Programs)
	c.bytes(&m.Args)
}

// Cancel asks the child to end: its context is cancelled with an error of
// this text that is (errors.Is) everything that CauseNames registers. From the
// child it says that it is ending by itself, and why.
type Cancel struct {
	Cause      string
	CauseNames []string
}

// Kind returns KindCancel.
func (*Cancel) Kind() Kind { return KindCancel }

func (m *Cancel) fields(c *coder) {
	c.str(&m.Cause)
	c.strs(&m.CauseNames)
}

// Result is the encoded value that a task returned without an error.
type Result struct {
	Payload []byte
}

// Kind returns KindResult.
func (*Result) Kind() Kind { return KindResult }

func (m *Result) fields(c *coder) { c.bytes(&m.Payload) }

// Failure is the error that a task returned, or the value that it panicked
// with.
type Failure struct {
	Message string
	Stack   string   // of the panic, "" for an error
	Names   []string // the registered sentinels in the error's tree
	Panic   bool
}

// Kind returns KindFailure.
func (*Failure) Kind() Kind { return KindFailure }

func (m *Failure) fields(c *coder) {
	c.str(&m.Message)
	c.str(&m.Stack)
	c.strs(&m.Names)
	c.bool(&m.Panic)
}

// Adopt brings one descriptor to the family's root: a further socket on which
// it answers Offer, Fetch and Adopt, for a child of the sender.
type Adopt struct{}

// Kind returns KindAdopt.
func (*Adopt) Kind() Kind { return KindAdopt }

func (*Adopt) fields(*coder) {}

// Offer deposits a shared object with the family's root, so that another
// process can fetch it, once, by its id. The descriptor beside it is the
// object's.
type Offer struct {
	ID [16]byte
}

// Kind returns KindOffer.
func (*Offer) Kind() Kind { return KindOffer }

func (m *Offer) fields(c *coder) { c.id(&m.ID) }

// Fetch asks the family's root for an object.
type Fetch struct {
	ID [16]byte
}

// Kind returns KindFetch.
func (*Fetch) Kind() Kind { return KindFetch }

func (m *Fetch) fields(c *coder) { c.id(&m.ID) }

// Fetched answers Fetch; the object's descriptor is beside it if Found.
type Fetched struct {
	ID    [16]byte
	Found bool
}

// Kind returns KindFetched.
func (*Fetched) Kind() Kind { return KindFetched }

func (m *Fetched) fields(c *coder) {
	c.id(&m.ID)
	c.bool(&m.Found)
}

// Ack confirms the message before it, where the sender has to wait for that.
type Ack struct{}

// Kind returns KindAck.
func (*Ack) Kind() Kind { return KindAck }

func (*Ack) fields(*coder) {}
