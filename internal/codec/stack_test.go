package codec_test

import (
	"bytes"
	"runtime"
	"sync"
	"testing"
)

// TestStackMoves encodes and decodes variables of a stack that moves meanwhile,
// since the recursion makes it grow, and while the collector looks at it.
func TestStackMoves(t *testing.T) {
	const depth = 2000
	var chain *list
	for i := range depth {
		chain = &list{i, chain}
	}
	p, named := plan[list](t), plan[[4]order](t)
	want, err := p.Append(nil, &list{-1, chain}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var collecting sync.WaitGroup
	collecting.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { // on a stack of its own, which is small
			last := list{depth - 1, chain.Next}
			head := list{-1, &last}
			b, err := p.Append(nil, &head, nil)
			if err != nil || !bytes.Equal(b, want) {
				t.Errorf("%d bytes instead of %d, error %v", len(b), len(want), err)
			}
			var got list
			if err := p.Decode(b, &got, nil); err != nil {
				t.Error(err)
			}
			n := 0
			for l := got.Next; l != nil; l = l.Next {
				if n++; l.Value != depth-n {
					t.Errorf("%d is number %d", l.Value, n)
					return
				}
			}
			text := []byte("on the stack")
			orders := [4]order{{1, string(text), 2}, {3, string(text[3:]), 4}}
			var back [4]order
			if b, err = named.Append(b[:0], &orders, nil); err == nil {
				err = named.Decode(b, &back, nil)
			}
			if err != nil || back != orders {
				t.Errorf("got %v, error %v", back, err)
			}
		})
	}
	all.Wait()
	close(stop)
	collecting.Wait()
}
