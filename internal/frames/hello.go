package frames

import (
	"encoding/binary"
	"hash/crc32"

	"multiproc/internal/cbor"
)

// A Hello is a frame of CPython's kind: nothing is known of the other side yet.
// It ends with a check of its own, for the numbers in it decide what is sent
// again.

// HostSize is the length of what names a machine and a namespace of processes.
const HostSize = 24

// Host names a running machine and, within it, a namespace of processes. The
// zero Host is not known.
type Host [HostSize]byte

// SameMachine reports whether two are known to be on one machine.
func (h Host) SameMachine(o Host) bool { return h != Host{} && [16]byte(h[:16]) == [16]byte(o[:16]) }

// SessionID names a session. Who knows it can resume the session.
type SessionID [16]byte

// ClientHello is what a client says of itself.
type ClientHello struct {
	PID     uint64 // of its process; 0: unknown
	Name    string
	Host    Host      // where it runs
	Session SessionID // the one to resume; zero: a new one
	Got     uint64    // how many frames of that session have come
}

// AppendClientHello appends a client's Hello.
func AppendClientHello(dst []byte, h ClientHello) []byte {
	start := len(dst)
	dst = AppendMap(appendKind(dst, 3, Hello, Version), 6)
	dst = AppendUint(AppendText(dst, "pid"), h.PID)
	dst = AppendText(AppendText(dst, "name"), h.Name)
	dst = AppendBytes(AppendText(dst, "host"), h.Host[:])
	dst = AppendBytes(AppendText(dst, "session"), h.Session[:])
	dst = AppendUint(AppendText(dst, "got"), h.Got)
	return appendSum(dst, start)
}

// ServerHello is what a server says of itself.
type ServerHello struct {
	Session SessionID
	Store   [IdentitySize]byte // which store this is: no other one has the same
	Frame   uint64             // the longest payload that the server accepts
	Grace   uint64             // how long the session outlives its connection, in milliseconds
	Got     uint64             // how many frames of the session have come
	Direct  bool               // the server's kernel says that the client is at the other end of the socket
}

// AppendServerHello appends a server's Hello.
func AppendServerHello(dst []byte, h ServerHello) []byte {
	start := len(dst)
	dst = AppendMap(appendKind(dst, 3, Hello, Version), 7)
	dst = AppendBytes(AppendText(dst, "session"), h.Session[:])
	dst = AppendBytes(AppendText(dst, "store"), h.Store[:])
	dst = AppendUint(AppendText(dst, "frame"), h.Frame)
	dst = AppendUint(AppendText(dst, "grace"), h.Grace)
	dst = AppendUint(AppendText(dst, "got"), h.Got)
	dst = AppendBool(AppendText(dst, "direct"), h.Direct)
	return appendSum(dst, start)
}

// appendSum appends the last entry of a Hello: a check of all that is before.
func appendSum(dst []byte, start int) []byte {
	dst = AppendText(dst, "sum")
	sum := crc32.Checksum(dst[start:], castagnoli)
	return binary.BigEndian.AppendUint32(append(dst, cbor.MajorUint<<5|26), sum)
}

// sumSize is the size of the value of "sum".
const sumSize = 5

// VersionOf is the version of the protocol that a Hello names, 0 if the payload
// is none.
func VersionOf(payload []byte) uint64 {
	if len(payload) < 3 || payload[0] != cbor.MajorArray<<5|3 || payload[1] != byte(Hello) {
		return 0
	}
	major, n, _, ok := head(payload[2:])
	if !ok || major != cbor.MajorUint {
		return 0
	}
	return n
}

func (f *Frame) parseHello(version uint64, rest, payload []byte) error {
	if version != Version {
		return corrupt("Hello of version %d of the protocol, and this program knows %d", version, Version)
	}
	major, n, body, ok := head(rest)
	if !ok || major != cbor.MajorMap || n > uint64(len(body))/2 {
		return corrupt("Hello without a map")
	}
	f.Hello = Items{int(2 * n), body}
	var name, value []byte
	it := f.Hello
	for it.n > 0 {
		name, _ = Text(it.Next())
		if value = it.Next(); value == nil {
			return corrupt("Hello is cut off")
		}
	}
	if len(it.rest) > 0 {
		return corrupt("Hello with something behind it")
	}
	sum, ok := Uint(value)
	if string(name) != "sum" || !ok || len(value) != sumSize ||
		uint64(crc32.Checksum(payload[:len(payload)-sumSize], castagnoli)) != sum {
		return corrupt("damaged on its way: the check of a Hello does not agree with it")
	}
	return nil
}

// ClientHello is the content of a client's Hello. What is not there, or not
// what it should be, is left zero.
func (f *Frame) ClientHello() (h ClientHello) {
	for it := f.Hello; it.n > 1; {
		name, _ := Text(it.Next())
		value := it.Next()
		switch string(name) {
		case "pid":
			h.PID, _ = Uint(value)
		case "name":
			text, _ := Text(value)
			h.Name = string(text)
		case "host":
			b, _ := Bytes(value)
			copy(h.Host[:], b)
		case "session":
			b, _ := Bytes(value)
			copy(h.Session[:], b)
		case "got":
			h.Got, _ = Uint(value)
		}
	}
	return h
}

// ServerHello is the content of a server's Hello; ok says that all of it was
// there.
func (f *Frame) ServerHello() (h ServerHello, ok bool) {
	var session, store, frame, grace, got, direct bool
	for it := f.Hello; it.n > 1; {
		name, _ := Text(it.Next())
		value := it.Next()
		switch string(name) {
		case "session":
			b, _ := Bytes(value)
			session = copy(h.Session[:], b) == len(h.Session)
		case "store":
			b, _ := Bytes(value)
			store = copy(h.Store[:], b) == IdentitySize
		case "frame":
			h.Frame, frame = Uint(value)
		case "grace":
			h.Grace, grace = Uint(value)
		case "got":
			h.Got, got = Uint(value)
		case "direct":
			h.Direct, direct = Bool(value)
		}
	}
	return h, session && store && frame && grace && got && direct
}
