//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
)

// stream carries frames over anything that reads and writes.
type stream struct {
	io.ReadWriteCloser
	in, out []byte
}

func (s *stream) Send(size int, fill func([]byte)) error {
	if len(s.out) < size {
		s.out = make([]byte, size)
	}
	fill(s.out[:size])
	_, err := s.Write(s.out[:size])
	return err
}

func (s *stream) Recv(size int, use func([]byte) error) error {
	if len(s.in) < size {
		s.in = make([]byte, size)
	}
	if _, err := io.ReadFull(s, s.in[:size]); err != nil {
		return err
	}
	return use(s.in[:size])
}

// socketpair is a stream and the process behind it.
type socketpair struct {
	*stream
	cmd  *exec.Cmd
	sent int
}

func (p *socketpair) Trip(v uint64) (uint64, error) { return tripOver(p.stream, v) }

func (p *socketpair) Bulk(n, size int) error {
	first := p.sent
	p.sent += n
	return bulkOver(p.stream, first, n, size)
}

func (p *socketpair) Close() {
	p.stream.Close()
	p.cmd.Wait() // how it ended was said on its stderr
}

// asStream wraps one end of a socketpair: as a net.Conn, which parks the goroutine in the network poller, or as a file
// in blocking mode, which parks the thread in the kernel.
func asStream(f *os.File, blocking bool) (*stream, error) {
	if blocking {
		f.Fd() // a descriptor that was handed out as a number is in blocking mode
		return &stream{ReadWriteCloser: f}, nil
	}
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return &stream{ReadWriteCloser: c}, nil
}

func socketpairName(blocking bool) string {
	if blocking {
		return "blocking"
	}
	return "socketpair"
}

func openSocketpair(blocking bool) open {
	return func(size int) (link, error) {
		f, cmd, err := pair(socketpairName(blocking), size)
		if err != nil {
			return nil, err
		}
		s, err := asStream(f, blocking)
		if err != nil {
			return nil, err
		}
		return &socketpair{stream: s, cmd: cmd}, nil
	}
}

func serveSocketpair(blocking bool) func(int) error {
	return func(size int) error {
		s, err := asStream(os.NewFile(3, "their end"), blocking)
		if err != nil {
			return err
		}
		if err := serveOver(s, size); !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
}
