package peer

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// socket is what the kernel tells of a socket of this machine.
type socket struct {
	inode  uint32 // 0 if no process has it any more
	uid    uint32
	unread uint32 // bytes that have come and were not read
}

// errNoSocket says that there is no such connection.
var errNoSocket = errors.New("no such socket")

// lookUp asks the kernel for the connected socket with these ends, by
// sock_diag(7): one question about one socket, whatever their number.
func lookUp(local, remote *net.TCPAddr) (socket, error) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return socket{}, os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	// The kernel answers before it returns from sendto.
	if err := unix.Sendto(s, question(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return socket{}, errNoSocket
		}
		return socket{}, os.NewSyscallError("sendto", err)
	}
	b := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, b, unix.MSG_DONTWAIT)
	if err != nil {
		return socket{}, os.NewSyscallError("recvfrom", err)
	}
	return answer(b[:n])
}

// The messages, by linux/netlink.h and linux/inet_diag.h. Ports and addresses
// are in network order, all else is the machine's.
const (
	sizeofHeader  = unix.SizeofNlMsghdr
	sizeofRequest = 56 // struct inet_diag_req_v2
	sizeofSocket  = 72 // struct inet_diag_msg
	anyCookie     = 1<<64 - 1
	byFamily      = 20 // SOCK_DIAG_BY_FAMILY
)

func question(local, remote *net.TCPAddr) []byte {
	family, size := byte(unix.AF_INET6), net.IPv6len
	from, to := local.IP.To16(), remote.IP.To16()
	if from.To4() != nil && to.To4() != nil {
		family, size = unix.AF_INET, net.IPv4len
		from, to = from.To4(), to.To4()
	}
	ne := binary.NativeEndian
	b := make([]byte, sizeofHeader+sizeofRequest)
	ne.PutUint32(b, uint32(len(b)))
	ne.PutUint16(b[4:], byFamily)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST)

	r := b[sizeofHeader:]
	r[0], r[1] = family, unix.IPPROTO_TCP
	ne.PutUint32(r[4:], 1<<32-1) // states: all
	binary.BigEndian.PutUint16(r[8:], uint16(local.Port))
	binary.BigEndian.PutUint16(r[10:], uint16(remote.Port))
	copy(r[12:][:size], from)
	copy(r[28:][:size], to)
	ne.PutUint64(r[48:], anyCookie)
	return b
}

func answer(b []byte) (socket, error) {
	ne := binary.NativeEndian
	if len(b) < sizeofHeader+4 {
		return socket{}, fs.ErrInvalid
	}
	body := b[sizeofHeader:]
	switch ne.Uint16(b[4:]) {
	case unix.NLMSG_ERROR:
		if err := unix.Errno(-int32(ne.Uint32(body))); !errors.Is(err, unix.ENOENT) {
			return socket{}, os.NewSyscallError("sock_diag", err)
		}
		return socket{}, errNoSocket
	case byFamily:
		if len(body) >= sizeofSocket {
			return socket{unread: ne.Uint32(body[56:]), uid: ne.Uint32(body[64:]), inode: ne.Uint32(body[68:])}, nil
		}
	}
	return socket{}, fs.ErrInvalid
}
