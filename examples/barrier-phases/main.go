// Three processes work on one row of cells, in phases: none begins the next before all
// have done this one.
//
//	barrier = multiprocessing.Barrier(3)
//	index = barrier.wait()
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"multiproc/mp"
)

const (
	workers = 3
	width   = 63
	phases  = 16
)

type part struct {
	N     int // which third of the row
	Rows  [2]*mp.RawArray[uint8]
	Phase *mp.Barrier
}

// A cell lives if one of its neighbours did, and not both: rule 90.
func work(ctx context.Context, p part) error {
	for i := range phases {
		old, next := p.Rows[i%2].Elements(), p.Rows[1-i%2].Elements()
		for x := p.N * width / workers; x < (p.N+1)*width/workers; x++ {
			next[x] = old[(x+width-1)%width] ^ old[(x+1)%width]
		}
		// All three come here, each with a number of its own. Then one shows the row,
		// while the others wait for it at the second barrier.
		index, err := p.Phase.Wait(ctx)
		if err != nil {
			return err
		}
		if index == 0 {
			show(next)
		}
		if _, err := p.Phase.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

func show(row []uint8) {
	var b strings.Builder
	for _, cell := range row {
		b.WriteByte(" #"[cell])
	}
	fmt.Println(strings.TrimRight(b.String(), " "))
}

var Work = mp.Proc(work)

func main() {
	mp.Init()
	ctx := context.Background()

	var p part
	var err error
	for i := range p.Rows {
		if p.Rows[i], err = mp.NewRawArray[uint8](width); err != nil {
			log.Fatal(err)
		}
		defer p.Rows[i].Close()
	}
	if p.Phase, err = mp.NewBarrier(workers); err != nil {
		log.Fatal(err)
	}
	defer p.Phase.Close()

	p.Rows[0].Elements()[width/2] = 1
	show(p.Rows[0].Elements())
	var all []mp.Child
	for p.N = range workers {
		w, err := Work.Start(ctx, p)
		if err != nil {
			log.Fatal(err)
		}
		all = append(all, w)
	}
	// A worker that dies breaks the barrier: the others do not wait for it.
	if err := mp.WaitAll(ctx, all...); err != nil {
		log.Fatal(err)
	}
}
