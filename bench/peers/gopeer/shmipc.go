//go:build linux

package main

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/cloudwego/shmipc-go"
)

// quiet is shmipc's log level above all others; it has no exported name.
const quiet = 5

// tune sets what shmipc's own benchmarks set: memfd instead of files, slices that hold one message in one piece, and
// more of them than a window needs. Otherwise it falls back to the socket and would be measured as one.
func tune(c *shmipc.Config, size int) {
	shmipc.SetLogLevel(quiet)
	c.LogOutput = io.Discard
	c.MemMapType = shmipc.MemMapTypeMemFd
	c.ShareMemoryBufferCap = 64 << 20
	c.BufferSliceSizes = []*shmipc.SizePercentPair{{Size: uint32(size) + 256, Percent: 70}, {Size: 4096, Percent: 30}}
	if size < 4096 {
		c.BufferSliceSizes = []*shmipc.SizePercentPair{{Size: 4096, Percent: 100}}
	}
}

// shared carries frames over a shmipc stream, without a copy on either side.
type shared struct{ *shmipc.Stream }

func (s shared) Send(size int, fill func([]byte)) error {
	b, err := s.BufferWriter().Reserve(size)
	if err != nil {
		return err
	}
	fill(b)
	return s.Flush(false)
}

func (s shared) Recv(size int, use func([]byte) error) error {
	b, err := s.BufferReader().ReadBytes(size)
	if err != nil {
		return err
	}
	err = use(b)
	s.BufferReader().ReleasePreviousRead()
	return err
}

// shmipcLink is a stream of a session with the second process.
type shmipcLink struct {
	shared
	manager *shmipc.SessionManager
	cmd     *exec.Cmd
	dir     string
	sent    int
}

func (l *shmipcLink) Trip(v uint64) (uint64, error) { return tripOver(l.shared, v) }

func (l *shmipcLink) Bulk(n, size int) error {
	first := l.sent
	l.sent += n
	return bulkOver(l.shared, first, n, size)
}

func (l *shmipcLink) Close() {
	l.Stream.Close()
	l.manager.Close()
	l.cmd.Wait() // how it ended was said on its stderr
	os.RemoveAll(l.dir)
}

func openShmipc(size int) (link, error) {
	dir, err := os.MkdirTemp("", "gopeer")
	if err != nil {
		return nil, err
	}
	l, err := dialShmipc(size, dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return l, nil
}

// dialShmipc listens before it starts the second process, so that there is somebody to dial.
func dialShmipc(size int, dir string) (*shmipcLink, error) {
	address := filepath.Join(dir, "socket")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	file, err := listener.File()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := serveIn("shmipc", size, file)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	conf := shmipc.DefaultSessionManagerConfig()
	tune(conf.Config, size)
	conf.Network, conf.Address = "unix", address
	conf.ShareMemoryPathPrefix = filepath.Join(dir, "buffer")
	conf.QueuePath = filepath.Join(dir, "queue")
	manager, err := shmipc.NewSessionManager(conf)
	if err != nil {
		return nil, err
	}
	s, err := manager.GetStream()
	if err != nil {
		return nil, err
	}
	return &shmipcLink{shared: shared{s}, manager: manager, cmd: cmd, dir: dir}, nil
}

func serveShmipc(size int) error {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		return err
	}
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	conf := shmipc.DefaultConfig()
	tune(conf, size)
	session, err := shmipc.Server(conn, conf)
	if err != nil {
		return err
	}
	s, err := session.AcceptStream()
	if err != nil {
		return err
	}
	err = serveOver(shared{s}, size)
	if errors.Is(err, shmipc.ErrStreamClosed) || errors.Is(err, shmipc.ErrEndOfStream) {
		return nil
	}
	return err
}
