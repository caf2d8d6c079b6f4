//go:build linux

package main

import (
	"net/rpc"
	"os"

	"multiproc/bench/internal/payload"
)

// Block is one message of a bulk run; net/rpc may serve them out of order, so each carries its number.
type Block struct {
	Seq, Size int
	Data      []byte
}

// Echo is what the second process offers over net/rpc and as a plugin.
type Echo struct{}

// Trip answers v+1.
func (Echo) Trip(v uint64, answer *uint64) error {
	*answer = v + 1
	return nil
}

// Take checks a block.
func (Echo) Take(b Block, ok *bool) error {
	*ok = true
	return payload.Check(b.Data, b.Seq, b.Size)
}

// rpcLink calls an Echo that is registered under a name.
type rpcLink struct {
	client *rpc.Client
	name   string
	close  func()
}

func (l *rpcLink) Trip(v uint64) (uint64, error) {
	var answer uint64
	err := l.client.Call(l.name+".Trip", v, &answer)
	return answer, err
}

// Bulk keeps a window of calls in flight. Go has encoded its argument when it returns, so one buffer is enough.
func (l *rpcLink) Bulk(n, size int) error {
	done := make(chan *rpc.Call, window)
	data := make([]byte, size)
	for i := range n + window {
		if i >= window {
			if call := <-done; call.Error != nil {
				return call.Error
			}
		}
		if i < n {
			payload.Stamp(data, i)
			l.client.Go(l.name+".Take", Block{i, size, data}, new(bool), done)
		}
	}
	return nil
}

func (l *rpcLink) Close() { l.close() }

func openNetRPC(size int) (link, error) {
	f, cmd, err := pair("netrpc", size)
	if err != nil {
		return nil, err
	}
	s, err := asStream(f, false)
	if err != nil {
		return nil, err
	}
	client := rpc.NewClient(s)
	return &rpcLink{client: client, name: "Echo", close: func() {
		client.Close()
		cmd.Wait() // how it ended was said on its stderr
	}}, nil
}

func serveNetRPC(int) error {
	s, err := asStream(os.NewFile(3, "their end"), false)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(Echo{}); err != nil {
		return err
	}
	server.ServeConn(s)
	return nil
}
