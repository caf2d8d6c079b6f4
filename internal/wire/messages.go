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
	Deadline    int64 // of the task's context, in nanoseconds since 1970; 0: none
	MaxProcs    int32 // 0: the runtime's own choice
	MemoryLimit int64 // soft limit of the Go heap in bytes, 0: none

	Spare         bool  // the child was started before this task was known
	IgnoreSignals bool  // those that would end the task
	Quiet         bool  // a panic of the task is not printed
	Programs      int32 // what becomes of those that the task starts

	Carried []string // values of the starter's context: names and values in turn
	Args    []byte
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
	c.i64(&m.Deadline)
	c.i32(&m.MaxProcs)
	c.i64(&m.MemoryLimit)
	c.bool(&m.Spare)
	c.bool(&m.IgnoreSignals)
	c.bool(&m.Quiet)
	c.i32(&m.Programs)
	c.strs(&m.Carried)
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

// Result is the encoded value that a task returned without an error. Handles
// in it wait with the family's root, in Parcel, if that is not zero.
type Result struct {
	Parcel  [16]byte
	Payload []byte
}

// Kind returns KindResult.
func (*Result) Kind() Kind { return KindResult }

func (m *Result) fields(c *coder) {
	c.id(&m.Parcel)
	c.bytes(&m.Payload)
}

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
