package mp

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"multiproc/internal/fdbroker"
	"multiproc/internal/fdpass"
	"multiproc/internal/mperr"
	"multiproc/internal/shm"
	"multiproc/internal/table"
)

// family is this process's membership in its family: the table of processes
// and the way to the root. A process has one for its whole life.
type family struct {
	table  *table.Table
	broker fdbroker.Broker
	root   *fdbroker.Root // nil unless this process is the root

	orphans *orphanage // nil unless this process is the root

	parcels atomic.Uint64 // how many this process has offered

	starter table.Ref // the process that started this one
}

// nextParcel names a parcel.
func (f *family) nextParcel() fdbroker.ID { return fdbroker.NewID(f.table.Self(), f.parcels.Add(1)) }

// envMark tells a process that it is a child:
// "version:family:slot:gen:slot:gen", its own and its starter's place.
// Init takes it out of the environment, or every program that a child starts
// would think it is one.
const envMark = "MULTIPROC_CHILD"

// The descriptors that a child inherits, in the order of spawn.Spec.Extra.
const (
	fdControl = 3 + iota // socket to the starter
	fdFamily             // the family's table
	fdRoot               // socket to the root
	fdCrash              // memory file for the runtime's crash report
	fdEnd
)

var membership struct {
	sync.Mutex
	f   *family
	err error
}

// theFamily returns this process's family. A process that is no child founds
// one when it first needs it.
func theFamily() (*family, error) {
	m := &membership
	m.Lock()
	defer m.Unlock()
	if m.f != nil || m.err != nil {
		return m.f, m.err
	}
	if !initialized.Load() && initializing() {
		return nil, errEarly
	}
	if os.Getenv(envMark) != "" {
		// Not remembered: Init may still come.
		return nil, fmt.Errorf("multiproc: this process is a child: %w; call it first in main", mperr.ErrNoInit)
	}
	m.f, m.err = found()
	return m.f, m.err
}

func found() (*family, error) {
	t, err := table.Create("main")
	if err != nil {
		return nil, err
	}
	root := fdbroker.NewRoot(t.Self(), openEnd(t))
	f := &family{table: t, broker: root.Broker(), root: root}
	f.orphans = newOrphanage(f)
	root.Nested, root.Ended = f.orphans.open, f.orphans.poke
	if os.Getpid() == 1 {
		f.orphans.open() // the kernel makes it inherit everybody
	}
	return f, nil
}

// join makes this process the member that its mark names.
func join(p place) error {
	t, err := table.Attach(fdFamily, p.family, p.own)
	if err != nil {
		return err
	}
	conn, err := fdpass.FromFD(fdRoot)
	if err != nil {
		return err
	}
	membership.Lock()
	defer membership.Unlock()
	membership.f = &family{table: t, broker: fdbroker.NewClient(conn), starter: p.starter}
	return nil
}

// place is what a mark says: a family, a process's own place in its table, and
// its starter's.
type place struct {
	family       shm.ID
	own, starter table.Ref
}

func (p place) mark() string {
	return fmt.Sprintf("1:%x:%d:%d:%d:%d", p.family[:], p.own.Slot, p.own.Gen, p.starter.Slot, p.starter.Gen)
}

func parseMark(mark string) (p place, err error) {
	bad := fmt.Errorf("environment variable %s=%q was not set by this program; remove it", envMark, mark)
	part := strings.Split(mark, ":")
	if len(part) != 6 || part[0] != "1" || len(part[1]) != 2*len(p.family) {
		return p, bad
	}
	if _, err := hex.Decode(p.family[:], []byte(part[1])); err != nil {
		return p, bad
	}
	for i, to := range []*uint32{&p.own.Slot, &p.own.Gen, &p.starter.Slot, &p.starter.Gen} {
		v, err := strconv.ParseUint(part[2+i], 10, 32)
		if err != nil {
			return p, bad
		}
		*to = uint32(v)
	}
	return p, nil
}
