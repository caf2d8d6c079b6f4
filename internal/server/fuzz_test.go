package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"multiproc/internal/frames"
	"multiproc/internal/frames/framestest"
	"multiproc/internal/pyconn"
)

// golden are the recorded requests.
func golden(f *testing.F) (all [][]byte) {
	file, err := os.Open(filepath.Join("testdata", "golden", "cpython-3.13.0.jsonl"))
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	request := regexp.MustCompile(`"C", "(80[0-9a-f]*)"`)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := request.FindSubmatch(lines.Bytes()); m != nil {
			b, err := hex.DecodeString(string(m[1]))
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, b)
		}
	}
	return all
}

// FuzzServe sends two frames of anybody's choice to a server, behind the
// handshake, and then looks whether it still serves.
func FuzzServe(f *testing.F) {
	for _, b := range golden(f) {
		f.Add(b, []byte{})
	}
	hello := frames.AppendClientHello(nil, frames.ClientHello{PID: 1, Name: "x"})
	f.Add(hello, frames.AppendCall(nil, 1, 0, "count", -1, 0))
	f.Add(hello, append(frames.AppendCall(nil, 1, 0, "open", 5, 3), 0x64, 'd', 'i', 'c', 't', 0xf6, 0x80))
	ctx, stop := context.WithCancel(context.Background())
	s, err := New(ctx, Options{Authkey: testKey, Log: slog.New(slog.DiscardHandler), Limits: Limits{Objects: 100, Grace: -1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(stop)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		if bytes.Contains(first, []byte("shutdown")) || bytes.Contains(second, []byte("shutdown")) {
			t.Skip("that would be the end of it")
		}
		a, b := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			newConn(s, b, b, 0).serve()
			_ = b.Close()
		}()
		go func() { // answers are somebody else's to judge
			buf := make([]byte, 4096)
			for {
				if _, err := a.Read(buf); err != nil {
					return
				}
			}
		}()
		_ = a.SetDeadline(time.Now().Add(5 * time.Second))
		out := pyconn.New(a)
		_ = out.WriteFrame(first)
		if frames.VersionOf(first) == frames.Version {
			second = framestest.Seal(second, 1, 0)
		}
		_ = out.WriteFrame(second)
		_ = a.Close()
		<-done
		if s.ctx.Err() != nil {
			t.Fatal("the server has ended")
		}
	})
}
