package peer

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func (f *Finder) find(c *net.TCPConn) (pid int, gone bool) {
	local, remote, ok := near(c)
	if !ok {
		return 0, false
	}
	for range 2 { // again if the process ended while we looked for it
		s, err := lookUp(remote, local)
		switch {
		case errors.Is(err, errNoSocket):
			return 0, hungUp(c)
		case err != nil:
			return 0, scarce(err)
		case s.inode == 0: // closed, and kept by the kernel for what is still to be sent
			return 0, true
		}
		link := fmt.Sprintf("socket:[%d]", s.inode)
		if pid := f.again(link); pid != 0 {
			return pid, false
		}
		pid, fd, err := search(link, s.uid)
		if err != nil {
			return 0, true
		}
		if pid != 0 {
			f.remember(pid, fd)
			return pid, false
		}
	}
	return 0, false
}

func unread(c *net.TCPConn) (n int, ok bool) {
	local, remote, ok := near(c)
	if !ok {
		return 0, false
	}
	s, err := lookUp(remote, local)
	return int(s.unread), err == nil
}

// scarce reports whether an error is none of the peer's: this process lacks
// something for the moment.
func scarce(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENOBUFS)
}

// again tries the places where connections were before: a program that opens
// one connection after the other has each of them at the same descriptor.
func (f *Finder) again(link string) (pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for pid, fd := range f.seen {
		at, err := os.Readlink(descriptor(pid, fd))
		switch {
		case err == nil && at == link:
			return pid
		case err != nil && !exists(pid):
			delete(f.seen, pid)
		}
	}
	return 0
}

func (f *Finder) remember(pid, fd int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[int]int{}
	}
	f.seen[pid] = fd
}

func descriptor(pid, fd int) string {
	return "/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.Itoa(fd)
}

func exists(pid int) bool { return !errors.Is(unix.Kill(pid, 0), unix.ESRCH) }

// search looks through the descriptors of all processes of a user. Of several
// that have the socket the oldest is the one that has made it: the others are
// its children, forked since. An error says that it could not look.
func search(link string, uid uint32) (pid, fd int, err error) {
	var began uint64
	all, err := numbers("/proc")
	if err != nil {
		return 0, 0, err
	}
	for _, p := range all {
		if !belongs(p, uid) {
			continue
		}
		descriptors, err := numbers("/proc/" + strconv.Itoa(p) + "/fd")
		if err != nil {
			return 0, 0, err
		}
		for _, n := range descriptors {
			if at, err := os.Readlink(descriptor(p, n)); err != nil || at != link {
				continue
			}
			if b := startTime(p); pid == 0 || b < began {
				pid, fd, began = p, n, b
			}
			break
		}
	}
	return pid, fd, nil
}

// belongs reports whether a process may be that user's. Those that hide their
// memory look like root's.
func belongs(pid int, uid uint32) bool {
	var st unix.Stat_t
	return unix.Stat("/proc/"+strconv.Itoa(pid), &st) == nil && (st.Uid == uid || st.Uid == 0)
}

// numbers are the entries of a directory that are numbers: none if it cannot be
// read, but for an error that is scarce.
func numbers(directory string) (all []int, err error) {
	d, err := os.Open(directory)
	if err != nil {
		if scarce(err) {
			return nil, err
		}
		return nil, nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			all = append(all, n)
		}
	}
	return all, nil
}

// startTime is when a process began, in clock ticks since the machine did.
func startTime(pid int) (ticks uint64) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The second field is a name in parentheses, of any characters.
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) > 19 {
		ticks, _ = strconv.ParseUint(string(fields[19]), 10, 64)
	}
	return ticks
}

// hungUp reports whether the peer has closed the connection. Its socket is not
// there any more: then that was said already, or is about to be.
func hungUp(c *net.TCPConn) (yes bool) {
	const wait = 10 // milliseconds
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(p, wait)
		for errors.Is(err, syscall.EINTR) {
			n, err = unix.Poll(p, wait)
		}
		yes = n > 0
	})
	return yes || err != nil
}
