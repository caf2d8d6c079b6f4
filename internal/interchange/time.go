package interchange

import (
	"fmt"
	"time"
	"unsafe"

	"multiproc/internal/cbor"
	"multiproc/internal/pyvalue"
)

// A time is a text as RFC 3339 has it, with as many digits of the second as it
// needs. Python gets a datetime.datetime with a datetime.timezone, which is
// exact to the microsecond; what is beyond is cut off there.

// time writes t.
func (e *encoder) time(t time.Time) error {
	if _, offset := t.Zone(); offset%60 != 0 || offset <= -86400 || offset >= 86400 || e.Key {
		t = t.UTC()
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return fmt.Errorf("a time in the year %d, which Python cannot have; the years from 1 to 9999 can travel", y)
	}
	var text [len(time.RFC3339Nano)]byte
	b := t.AppendFormat(text[:0], time.RFC3339Nano)
	e.B = cbor.AppendHead(cbor.AppendHead(e.B, cbor.MajorTag, tagTime), cbor.MajorText, uint64(len(b)))
	e.B = append(e.B, b...)
	return nil
}

// parseTime accepts what the encoder writes and nothing else.
func parseTime(b []byte) (t time.Time, ok bool) {
	if len(b) > len(time.RFC3339Nano) || len(b) == 0 {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, unsafe.String(&b[0], len(b)))
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false
	}
	var text [len(time.RFC3339Nano)]byte
	return t, string(t.AppendFormat(text[:0], time.RFC3339Nano)) == string(b)
}

var (
	classDatetime  = pyvalue.Global{Module: "datetime", Name: "datetime"}
	classTimezone  = pyvalue.Global{Module: "datetime", Name: "timezone"}
	classTimedelta = pyvalue.Global{Module: "datetime", Name: "timedelta"}
)

const daySeconds = 24 * 60 * 60

// timeObject returns t as Python pickles it: the datetime's ten bytes, and its
// zone as a distance from UTC.
func timeObject(t time.Time) *pyvalue.Object {
	_, offset := t.Zone()
	days := int64(0)
	if offset < 0 {
		days, offset = -1, offset+daySeconds
	}
	delta := &pyvalue.Object{Func: classTimedelta, Args: pyvalue.Tuple{days, int64(offset), int64(0)}}
	zone := &pyvalue.Object{Func: classTimezone, Args: pyvalue.Tuple{delta}}
	y, micro := t.Year(), t.Nanosecond()/1000
	b := []byte{
		byte(y >> 8), byte(y), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()),
		byte(micro >> 16), byte(micro >> 8), byte(micro),
	}
	return &pyvalue.Object{Func: classDatetime, Args: pyvalue.Tuple{b, zone}, Nanos: uint16(t.Nanosecond() % 1000)}
}

// timeOf returns the time that a datetime stands for. One without a zone is
// taken for UTC, and then aware is false.
func timeOf(o *pyvalue.Object) (t time.Time, aware, ok bool) {
	args, isTuple := o.Args.(pyvalue.Tuple)
	if o.Func != any(classDatetime) || o.New || o.HasState || !isTuple || len(args) < 1 || len(args) > 2 {
		return time.Time{}, false, false
	}
	b, isBytes := args[0].([]byte)
	if !isBytes || len(b) != 10 {
		return time.Time{}, false, false
	}
	zone := time.UTC
	if len(args) == 2 {
		if zone, aware = zoneOf(args[1]); !aware {
			return time.Time{}, false, false
		}
	}
	micro := int(b[7])<<16 | int(b[8])<<8 | int(b[9])
	month := time.Month(b[2] & 0x7f) // the highest bit is the fold, which a fixed zone does not need
	t = time.Date(int(b[0])<<8|int(b[1]), month, int(b[3]), int(b[4]), int(b[5]), int(b[6]), micro*1000+int(o.Nanos), zone)
	return t, aware, t.Month() == month && t.Year() >= 1 && t.Year() <= 9999
}

// zoneOf returns the zone that a datetime.timezone stands for.
func zoneOf(v any) (*time.Location, bool) {
	args := argsOf(v, classTimezone)
	if len(args) == 0 {
		return nil, false
	}
	delta := argsOf(args[0], classTimedelta)
	if len(delta) != 3 {
		return nil, false
	}
	days, ok1 := intOf(delta[0])
	seconds, ok2 := intOf(delta[1])
	if !ok1 || !ok2 || days < -1 || days > 0 || seconds < 0 || seconds >= daySeconds || intIsNot(delta[2], 0) {
		return nil, false
	}
	offset := int(days*daySeconds + seconds)
	if offset == 0 {
		return time.UTC, true
	}
	return time.FixedZone("", offset), true
}

// argsOf returns the arguments with which class was called to make v.
func argsOf(v any, class pyvalue.Global) pyvalue.Tuple {
	if o, ok := v.(*pyvalue.Object); ok && o.Func == any(class) && !o.New && !o.HasState {
		args, _ := o.Args.(pyvalue.Tuple)
		return args
	}
	return nil
}

func intOf(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	}
	return 0, false
}

func intIsNot(v any, want int64) bool {
	i, ok := intOf(v)
	return !ok || i != want
}

// known returns the Go value that an object of a well-known class is, for
// those who want Go values, else the object.
func (p *parser) known(o *pyvalue.Object) any {
	if p.golike {
		if t, aware, ok := timeOf(o); ok && aware {
			return t
		}
	}
	return o
}
