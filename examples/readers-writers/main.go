// Readers and writers over one table: 100 000 accounts, writers that move money from one
// to another, and readers that add them all up. A writer alone sees a table in which money
// is on its way; readers never do, and read at the same time as each other.
//
// Python has no such lock, and with a Lock around the table readers wait for readers. A
// writer that is killed in the middle leaves a Lock that nobody can take. Here the next
// one is told, and puts back what the dead writer was about to move.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"os"

	"multiproc/mp"
)

const (
	accounts  = 100_000
	each      = 100 // at first
	transfers = 500 // of a writer
	audits    = 5   // of a reader
)

// bank is the table, its lock, and what a writer is about to do.
type bank struct {
	Lock    *mp.RWMutex
	Table   *mp.Dict[int, int]
	Pending *mp.Value[transfer]
}

// transfer has what two accounts were before it; Under says that it is under way.
type transfer struct {
	Under        bool
	From, To     int
	FromHad, Had int
}

// move moves amount from one account to another. The lock is held for writing.
func (b *bank) move(ctx context.Context, from, to, amount int, half func()) error {
	f, err := b.Table.Get(ctx, from)
	if err != nil {
		return err
	}
	t, err := b.Table.Get(ctx, to)
	if err != nil {
		return err
	}
	if err := b.Pending.Store(ctx, transfer{true, from, to, f, t}); err != nil {
		return err
	}
	if err := b.Table.Set(ctx, from, f-amount); err != nil {
		return err
	}
	half() // the money is nowhere
	if err := b.Table.Set(ctx, to, t+amount); err != nil {
		return err
	}
	return b.Pending.Store(ctx, transfer{})
}

// lock takes the lock by f, and repairs the table if a writer has died over it.
func (b *bank) lock(ctx context.Context, f func(context.Context) error) error {
	for {
		err := f(ctx)
		var died *mp.OwnerDiedError
		if !errors.As(err, &died) {
			return err
		}
		if err := b.Lock.Repair(ctx, func() error { return b.undo(ctx) }); err != nil {
			return err
		}
	}
}

func (b *bank) undo(ctx context.Context) error {
	p, err := b.Pending.Load(ctx)
	if err != nil || !p.Under {
		return err
	}
	if err := b.Table.SetBatch(ctx, map[int]int{p.From: p.FromHad, p.To: p.Had}); err != nil {
		return err
	}
	return b.Pending.Store(ctx, transfer{})
}

func write(ctx context.Context, b bank) error {
	for range transfers {
		if err := b.lock(ctx, b.Lock.Lock); err != nil {
			return err
		}
		from := rand.IntN(accounts)
		err := b.move(ctx, from, (from+1+rand.IntN(accounts-1))%accounts, 1+rand.IntN(each), func() {})
		b.Lock.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// die is a writer that ends in the middle of a transfer.
func die(ctx context.Context, b bank) error {
	if err := b.lock(ctx, b.Lock.Lock); err != nil {
		return err
	}
	return b.move(ctx, 0, 1, each, func() { os.Exit(1) })
}

// read adds up all accounts and returns how often that was not what there is.
func read(ctx context.Context, b bank) (wrong int, err error) {
	for range audits {
		if err := b.lock(ctx, b.Lock.RLock); err != nil {
			return 0, err
		}
		sum := 0
		for v, err := range b.Table.Values(ctx) {
			if err != nil {
				return 0, err
			}
			sum += v
		}
		b.Lock.RUnlock()
		if sum != accounts*each {
			wrong++
		}
	}
	return wrong, nil
}

var (
	Write = mp.Proc(write)
	Die   = mp.Proc(die)
	Read  = mp.Func(read)
)

func main() {
	mp.Init()
	ctx := context.Background()

	var b bank
	var err error
	if b.Lock, err = mp.NewRWMutex(); err != nil {
		log.Fatal(err)
	}
	defer b.Lock.Close()
	if b.Table, err = mp.NewDict[int, int](); err != nil {
		log.Fatal(err)
	}
	defer b.Table.Close()
	if b.Pending, err = mp.NewValue(transfer{}); err != nil {
		log.Fatal(err)
	}
	defer b.Pending.Close()
	table := map[int]int{}
	for i := range accounts {
		table[i] = each
	}
	if err := b.Table.SetBatch(ctx, table); err != nil {
		log.Fatal(err)
	}

	var writers []mp.Child
	for range 2 {
		p, err := Write.Start(ctx, b)
		if err != nil {
			log.Fatal(err)
		}
		writers = append(writers, p)
	}
	var readers []*mp.Process[int]
	for range 3 {
		p, err := Read.Start(ctx, b)
		if err != nil {
			log.Fatal(err)
		}
		readers = append(readers, p)
	}
	_, _ = Die.Run(ctx, b) // exit status 1

	if err := mp.WaitAll(ctx, writers...); err != nil {
		log.Fatal(err)
	}
	wrong := 0
	for _, p := range readers {
		w, err := p.Result(ctx)
		if err != nil {
			log.Fatal(err)
		}
		wrong += w
	}
	last, err := read(ctx, b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("3 readers added %d accounts up %d times, and were wrong %d times\n", accounts, 3*audits, wrong)
	fmt.Printf("after 2 writers, and one that died in the middle of a transfer, wrong: %d\n", last)
}
