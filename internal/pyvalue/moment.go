package pyvalue

import (
	"math/big"
	"strings"
	"sync"
	"time"
)

// moment is an instance of one of the classes of module datetime, or a UUID: what
// decides about its equality and its order. Moments of different kinds differ
// and have no order.
type moment struct {
	kind momentKind
	at   int64 // microseconds; days of a date, and of a timedelta
	more int64 // microseconds of the day of a timedelta; nanoseconds beyond the microsecond

	// Of a datetime whose offset from UTC changes, or is not known: Python
	// compares two of one zone by their clocks, whatever their offsets.
	zone  string // its name
	clock int64
	twice bool // the clock shows this time twice, or never: it equals none of another zone

	number *big.Int // of a UUID
}

type momentKind byte

const (
	aDate momentKind = iota
	aNaive
	anAware
	aTime
	anAwareTime
	aTimedelta
	aTimezone
	aUUID
)

// String is the name of the class.
func (k momentKind) String() string {
	return [...]string{"date", "datetime", "datetime", "time", "time", "timedelta", "timezone", "UUID"}[k]
}

const (
	dayMicros = 24 * 60 * 60 * 1_000_000
	foldBit   = 0x80
)

// momentOf takes what Python makes of its pickle. ok is false for a class that
// is none of these; an Object that is one and cannot be taken apart, or has an
// unknown zone, stays itself.
func momentOf(o *Object, class Global, args Tuple) (v Value, ok bool) {
	if o.HasState || len(args) == 0 {
		return nil, false
	}
	switch class.Name {
	case "timedelta":
		return timedeltaOf(args)
	case "timezone":
		offset, ok := offsetOf(args[0])
		return moment{kind: aTimezone, at: offset}, ok && len(args) <= 2
	}
	b, isBytes := args[0].([]byte)
	switch {
	case !isBytes || len(args) > 2:
	case class.Name == "date" && len(b) == 4 && len(args) == 1:
		return moment{kind: aDate, at: dayOf(b)}, true
	case class.Name == "time" && len(b) == 6:
		at := clockOf(b[0]&^foldBit, b[1:])
		if len(args) == 1 {
			return moment{kind: aTime, at: at}, true
		}
		offset, ok := fixedZone(args[1])
		return moment{kind: anAwareTime, at: at - offset}, ok
	case class.Name == "datetime" && len(b) == 10:
		return datetimeOf(o, b, args)
	}
	return nil, false
}

func timedeltaOf(args Tuple) (Value, bool) {
	if len(args) != 3 {
		return nil, false
	}
	days, ok1 := Int(args[0])
	seconds, ok2 := Int(args[1])
	micros, ok3 := Int(args[2])
	sane := ok1 && ok2 && ok3 && seconds >= 0 && seconds < 86400 && micros >= 0 && micros < 1_000_000
	return moment{kind: aTimedelta, at: days, more: seconds*1_000_000 + micros}, sane
}

// dayOf counts the days of the year, month and day that are written in b.
func dayOf(b []byte) int64 {
	t := time.Date(int(b[0])<<8|int(b[1]), time.Month(b[2]&^foldBit), int(b[3]), 0, 0, 0, 0, time.UTC)
	return t.Unix() / 86400
}

// clockOf is the time of the day: rest are minutes, seconds and microseconds.
func clockOf(hour byte, rest []byte) int64 {
	seconds := int64(hour)*3600 + int64(rest[0])*60 + int64(rest[1])
	return seconds*1_000_000 + int64(rest[2])<<16 + int64(rest[3])<<8 + int64(rest[4])
}

func datetimeOf(o *Object, b []byte, args Tuple) (Value, bool) {
	clock := dayOf(b)*dayMicros + clockOf(b[4], b[5:])
	m := moment{kind: aNaive, at: clock, more: int64(o.Nanos)}
	if len(args) == 1 {
		return m, true
	}
	m.kind = anAware
	if offset, ok := fixedZone(args[1]); ok {
		m.at -= offset
		return m, true
	}
	name, ok := zoneInfoOf(args[1])
	if !ok {
		return nil, false
	}
	zone, ok := location(name)
	if !ok {
		return nil, false
	}
	first, second := offsets(zone, clock)
	m.zone, m.clock, m.twice = name, clock, first != second
	if b[2]&foldBit != 0 {
		first = second
	}
	m.at -= first
	return m, true
}

// offsets are those from UTC in a zone whose clocks show a time: before and
// after a change, if they show it twice or never.
func offsets(zone *time.Location, clock int64) (first, second int64) {
	before := time.UnixMicro(clock - dayMicros).In(zone)
	_, a := before.Zone()
	_, change := before.ZoneBounds()
	first = int64(a) * 1_000_000
	if change.IsZero() {
		return first, first
	}
	_, b := change.Zone()
	second = int64(b) * 1_000_000
	at := change.UnixMicro()
	switch {
	case clock < at+min(first, second):
		return first, first
	case clock >= at+max(first, second):
		return second, second
	}
	return first, second
}

// fixedZone is the distance from UTC of a tzinfo that knows one.
func fixedZone(v Value) (micros int64, ok bool) {
	o, ok := v.(*Object)
	if !ok {
		return 0, false
	}
	class, _ := o.Func.(Global)
	args, _ := o.Args.(Tuple)
	switch class {
	case Global{"datetime", "timezone"}:
		if len(args) > 0 {
			return offsetOf(args[0])
		}
	case Global{"pytz", "_UTC"}, Global{"dateutil.tz.tz", "tzutc"}:
		return 0, len(args) == 0
	case Global{"pytz", "_p"}: // zone, offset, of it daylight saving, name
		if len(args) == 4 {
			seconds, ok := Int(args[1])
			return seconds * 1_000_000, ok
		}
	}
	return 0, false
}

// offsetOf is the timedelta of a timezone.
func offsetOf(v Value) (micros int64, ok bool) {
	o, ok := v.(*Object)
	if !ok || o.Func != Value(Global{"datetime", "timedelta"}) {
		return 0, false
	}
	args, _ := o.Args.(Tuple)
	d, ok := timedeltaOf(args)
	if !ok {
		return 0, false
	}
	m := d.(moment)
	return m.at*dayMicros + m.more, m.at == 0 || m.at == -1
}

// zoneInfoOf is the name of a zoneinfo.ZoneInfo.
func zoneInfoOf(v Value) (name string, ok bool) {
	o, ok := v.(*Object)
	if !ok {
		return "", false
	}
	args, _ := o.Args.(Tuple)
	if len(args) == 0 {
		return "", false
	}
	name, ok = args[0].(string)
	if f, isObject := o.Func.(*Object); isObject { // getattr(ZoneInfo, "_unpickle")
		of, _ := f.Args.(Tuple)
		isZone := f.Func == Value(Global{"builtins", "getattr"}) && len(of) == 2 && of[0] == Value(Global{"zoneinfo", "ZoneInfo"})
		return name, ok && isZone
	}
	return name, ok && o.Func == Value(Global{"zoneinfo", "ZoneInfo._unpickle"})
}

// locations are the zones that were asked for and exist on this machine.
var locations sync.Map

func location(name string) (*time.Location, bool) {
	if l, ok := locations.Load(name); ok {
		return l.(*time.Location), true
	}
	if name == "" || name == "Local" || len(name) > 64 || strings.Contains(name, "..") {
		return nil, false
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, false
	}
	locations.Store(name, l)
	return l, true
}

// uuidOf is the UUID that an object is.
func uuidOf(o *Object) (moment, bool) {
	state, ok := o.State.(*Dict)
	if !ok {
		return moment{}, false
	}
	for _, e := range state.Entries {
		if e.Key == Value("int") {
			n, ok := numberOf(e.Value)
			return moment{kind: aUUID, number: n.big()}, ok && n.kind == exactInt
		}
	}
	return moment{}, false
}

// equal is Python's ==.
func (m moment) equal(n moment) bool {
	switch {
	case m.kind != n.kind:
		return false
	case m.kind == aUUID:
		return m.number.Cmp(n.number) == 0
	case m.zone != n.zone && (m.twice || n.twice):
		return false
	}
	return m.compare(n) == 0
}

// compare orders two moments of one kind that have an order.
func (m moment) compare(n moment) int {
	switch {
	case m.kind == aUUID:
		return m.number.Cmp(n.number)
	case m.zone != "" && m.zone == n.zone:
		return compareInts(m.clock, n.clock)
	case m.at != n.at:
		return compareInts(m.at, n.at)
	}
	return compareInts(m.more, n.more)
}

// key is what two equal moments have in common.
func (m moment) key() Tuple {
	switch {
	case m.kind == aUUID:
		return Tuple{int64(m.kind), Norm(m.number)}
	case m.twice:
		return Tuple{int64(m.kind), m.zone, m.clock}
	}
	return Tuple{int64(m.kind), m.at, m.more}
}
