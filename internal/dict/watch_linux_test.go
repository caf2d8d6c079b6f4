package dict

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"multiproc/internal/cell"
	"multiproc/internal/mperr"
	"multiproc/internal/table"
)

// say is an event as a text.
func (e Event) say() string {
	switch {
	case e.Cleared:
		return "clear"
	case e.Gone:
		return fmt.Sprintf("-%x", e.Key.Append(nil))
	}
	return fmt.Sprintf("%x=%x", e.Key.Append(nil), e.Value.Append(nil))
}

// saw checks what a watcher is told next; want are keys and values that are numbers.
func saw(t *testing.T, w *Watcher, want ...string) {
	t.Helper()
	got := []string{}
	for len(got) < len(want) {
		events, err := w.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			got = append(got, e.say())
		}
	}
	more, err := w.round(ctx)
	if err != nil || len(more) > 0 {
		t.Errorf("and then %d events, %v", len(more), err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("saw %v, want %v", got, want)
	}
}

// is is an entry of two numbers, gone that it was taken out.
func is(key, v int) string {
	return fmt.Sprintf("%x=%x", intCell(key).Append(nil), intCell(v).Append(nil))
}

func gone(key int) string { return fmt.Sprintf("-%x", intCell(key).Append(nil)) }

func set(t *testing.T, d *Dict, key, v int) {
	t.Helper()
	if _, err := d.Set(ctx, d.intKey(key), intCell(v), Always); err != nil {
		t.Fatal(err)
	}
}

func watch(t testing.TB, d *Dict) *Watcher {
	t.Helper()
	w, err := d.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Leave)
	return w
}

// Each handle's watcher is told of all changes through all handles, in the order in which
// they were made.
func TestWatch(t *testing.T) {
	d, seg := newDict(t, Config{Bits: 2})
	other := attach(t, seg)
	t.Cleanup(other.Detach)
	set(t, d, 1, 1)
	w, v := watch(t, d), watch(t, other)
	var want []string
	for i := range 100 {
		set(t, []*Dict{d, other}[i%2], i, i)
		want = append(want, is(i, i))
	}
	for _, i := range []int{50, 3} {
		if ok, err := d.Delete(ctx, d.intKey(i), Always); !ok || err != nil {
			t.Fatal(ok, err)
		}
		want = append(want, gone(i))
	}
	if ok, err := d.Delete(ctx, d.intKey(3), Always); ok || err != nil {
		t.Fatal(ok, err)
	}
	if e, ok, err := other.PopItem(ctx); !ok || err != nil {
		t.Fatal(e, ok, err)
	}
	want = append(want, gone(99))
	if _, _, err := d.Batch(ctx, []Change{
		{Key: *d.intKey(7), Value: intCell(8)},
		{Key: *d.intKey(1000), Value: intCell(1)},
		{Key: *d.intKey(8), Gone: true},
		{Key: *d.intKey(9), Value: intCell(3), Keep: true},
		{Key: *d.intKey(6), Value: intCell(7)},
	}); err != nil {
		t.Fatal(err)
	}
	want = append(want, is(7, 8), is(1000, 1), gone(8), is(6, 7))
	if _, err := d.Retain(ctx, func(e *Entry) bool { return e.Value.Word != intCell(20).Word }); err != nil {
		t.Fatal(err)
	}
	want = append(want, gone(20))
	if err := d.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	set(t, d, 1, 2)
	if err := other.Clear(ctx); err != nil {
		t.Fatal(err)
	}
	want = append(want, "clear", is(1, 2), "clear")
	saw(t, w, want...)
	saw(t, v, want...)
}

// Keys and values of any size are told, and what was set over the end of the ring.
func TestWatchSizes(t *testing.T) {
	d, _ := newDict(t, Config{Bits: 0})
	w := watch(t, d)
	for i := range 300 {
		k, v := d.Key(cell.Of(item(uint64(i)|1<<20, 10+i)), nil), cell.Of(item(uint64(i), 1<<(i%17)))
		if _, err := d.Set(ctx, &k, v, Always); err != nil {
			t.Fatal(err)
		}
		saw(t, w, Event{Key: k.equal, Value: v}.say())
	}
	k := d.intKey(1)
	large := cell.Of(item(3, 3*maxRing/8))
	for _, v := range []cell.Cell{intCell(1), large, intCell(2)} {
		if _, err := d.Set(ctx, k, v, Always); err != nil {
			t.Fatal(err)
		}
	}
	saw(t, w, is(1, 1), Event{Key: intCell(1), Value: large}.say(), is(1, 2))
	if _, err := d.Set(ctx, k, cell.Of(item(3, maxRing/2)), Always); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(ctx); !errors.Is(err, mperr.ErrOverrun) {
		t.Errorf("a value of half a ring: %v, want %v", err, mperr.ErrOverrun)
	}
}

// Who does not read loses what is lost, and holds up nobody.
func TestWatchOverrun(t *testing.T) {
	d, _ := newDict(t, Config{Bits: 0})
	w := watch(t, d)
	for i := range minRing / recordBytes {
		set(t, d, i%7, i)
	}
	if events, err := w.Next(ctx); err != nil || len(events) != minRing/recordBytes {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i := range minRing/recordBytes + 1 {
		set(t, d, i%7, i)
	}
	if _, err := w.Next(ctx); !errors.Is(err, mperr.ErrOverrun) {
		t.Errorf("%v, want %v", err, mperr.ErrOverrun)
	}
	w.Leave()
	w = watch(t, d)
	set(t, d, 1, 1)
	saw(t, w, is(1, 1))
}

// A watcher that sleeps is woken by a change, by the end of its context, and by Abort.
func TestWatchSleep(t *testing.T) {
	d, seg := newDict(t, Config{Bits: MaxBits})
	other := attach(t, seg)
	t.Cleanup(other.Detach)
	const watchers = 3
	events := make(chan []Event)
	ends := make(chan error, watchers)
	ctx, cancel := context.WithCancel(ctx)
	for i := range watchers {
		w := watch(t, d)
		ctx := ctx
		if i == 0 {
			ctx = context.Background()
		}
		go func() {
			for {
				e, err := w.Next(ctx)
				if err != nil {
					ends <- err
					return
				}
				events <- e
			}
		}()
	}
	for i := range 100 {
		set(t, other, i, i)
		for range watchers {
			if e := <-events; len(e) != 1 || e[0].say() != is(i, i) {
				t.Fatalf("change %d: %v", i, e)
			}
		}
	}
	cancel()
	for range watchers - 1 {
		if err := <-ends; !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want %v", err, context.Canceled)
		}
	}
	d.Abort()
	if err := <-ends; !errors.Is(err, mperr.ErrClosed) {
		t.Errorf("%v, want %v", err, mperr.ErrClosed)
	}
}

// The end of an entry's time is told though nobody changes anything.
func TestWatchTimed(t *testing.T) {
	d, _ := newDict(t, Config{Bits: 1, Timed: true, TTL: time.Millisecond})
	w := watch(t, d)
	set(t, d, 1, 2)
	saw(t, w, is(1, 2), gone(1))
	set(t, d, 1, 3)
	saw(t, w, is(1, 3), gone(1))
}

// family are the processes of a test.
type family struct {
	self uint32
	dead func(slot uint32) bool
}

func (f *family) Self() table.Ref         { return table.Ref{Slot: f.self} }
func (f *family) Live(ref table.Ref) bool { return !f.dead(ref.Slot) }
func (f *family) Owe()                    {}

// There is a limit on watchers. The places of the dead are taken back, and when nobody is
// left the memory of the feeds is given back.
func TestWatchers(t *testing.T) {
	d, seg := newDict(t, Config{Bits: 2})
	other := attach(t, seg)
	t.Cleanup(other.Detach)
	dead := false
	d.Family = &family{self: 0, dead: func(slot uint32) bool { return dead && slot == 1 }}
	other.Family = &family{self: 1, dead: func(uint32) bool { return false }}
	var list []*Watcher
	for range MaxWatchers {
		list = append(list, watch(t, other))
	}
	if _, err := d.Watch(ctx); !errors.Is(err, mperr.ErrLimit) {
		t.Errorf("one more: %v, want %v", err, mperr.ErrLimit)
	}
	list[7].Leave()
	w := watch(t, d)
	dead = true
	watch(t, d).Leave()
	set(t, d, 1, 1)
	saw(t, w, is(1, 1))
	w.Leave()
	if is := d.load(offWatched); is != unwatched {
		t.Errorf("nobody is left, watched is %d", is)
	}
	fill := func() int64 {
		for i := range 100_000 {
			set(t, d, i%10, i)
		}
		return taken(t, seg)
	}
	before := fill()
	w = watch(t, d)
	full := fill()
	if full-before < 3*minRing {
		t.Errorf("%d bytes before, %d of a dict that is watched", before, full)
	}
	w.Leave()
	if after := taken(t, seg); after > before {
		t.Errorf("%d bytes before it was watched, %d after, %d meanwhile", before, after, full)
	}
	// The same of watchers that died.
	dead = false
	watch(t, other)
	fill()
	dead = true
	for i := range 1000 {
		set(t, d, i%10, i)
	}
	if after := taken(t, seg); after > before {
		t.Errorf("%d bytes before it was watched by who died, %d after", before, after)
	}
	if is := d.load(offWatched); is != unwatched {
		t.Errorf("nobody lives, watched is %d", is)
	}
}

// Many write, many watch: each watcher sees the changes of each key in order, ends where
// the dict does, and sees what one goroutine did in the order in which it did it.
func TestWatchStorm(t *testing.T) {
	for _, bits := range []uint{0, 2} {
		d, seg := newDict(t, Config{Bits: bits})
		other := attach(t, seg)
		t.Cleanup(other.Detach)
		d.minRing, other.minRing = maxRing, maxRing // nobody is overrun, however slow
		watchStorm(t, d, other)
	}
}

func watchStorm(t *testing.T, handles ...*Dict) {
	const writers, watchers, steps = 3, 3, 3000
	ended := make(chan error, writers+watchers)
	for i := range watchers {
		w := watch(t, handles[i%2])
		go func() { ended <- follow(w, handles[0], writers) }()
	}
	for who := range writers {
		d := handles[who%2]
		go func() { ended <- lead(d, who, steps) }()
	}
	for range writers + watchers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// lead changes keys of its own, each time to a greater number, now and then all at one
// moment, and clears the dict.
func lead(d *Dict, who, steps int) error {
	for n := 1; n <= steps; n++ {
		var err error
		switch {
		case n%100 == 0 && who == 0 && n < steps-100:
			err = d.Clear(ctx)
		case n%10 == 0:
			var all []Change
			for key := range 5 {
				all = append(all, Change{Key: *d.intKey(who*10 + key), Value: intCell(n)})
			}
			_, _, err = d.Batch(ctx, all)
		case n%7 == 0:
			_, err = d.Delete(ctx, d.intKey(who*10+n%5), Always)
		default:
			_, err = d.Set(ctx, d.intKey(who*10+n%5), intCell(n), Always)
		}
		if err != nil {
			return err
		}
	}
	_, err := d.Set(ctx, d.intKey(who*10+9), intCell(steps+1), Always)
	return err
}

// follow keeps a copy of the dict by what it is told, up to the last change of all.
func follow(w *Watcher, d *Dict, writers int) error {
	mirror, versions, last := map[string]string{}, map[string]uint64{}, map[int]int{}
	for over := 0; over < writers; {
		events, err := w.Next(ctx)
		if err != nil {
			return err
		}
		for i, e := range events {
			if e.Cleared {
				clear(mirror)
				continue
			}
			key, _ := e.Key.Int()
			id := fmt.Sprint(key)
			if e.Version <= versions[id] {
				return fmt.Errorf("key %d: version %d after %d", key, e.Version, versions[id])
			}
			versions[id] = e.Version
			if e.Gone {
				delete(mirror, id)
				continue
			}
			v, _ := e.Value.Int()
			who, n := int(key)/10, int(v)
			if n < last[who] || n == last[who] && n%10 != 0 {
				return fmt.Errorf("writer %d: %d after %d", who, n, last[who])
			}
			if n%10 == 0 && n != last[who] { // a batch, together
				for j := range 5 {
					if i+j >= len(events) {
						return fmt.Errorf("writer %d: batch %d is not whole", who, n)
					}
					if k, _ := events[i+j].Key.Int(); int(k) != who*10+j {
						return fmt.Errorf("writer %d: batch %d has key %d at %d", who, n, k, j)
					}
				}
			}
			last[who] = n
			mirror[id] = fmt.Sprint(n)
			if int(key)%10 == 9 {
				over++
			}
		}
	}
	all, err := d.All(ctx)
	if err != nil {
		return err
	}
	for _, e := range all {
		k, _ := e.Key.Int()
		v, _ := e.Value.Int()
		if mirror[fmt.Sprint(k)] != fmt.Sprint(v) {
			return fmt.Errorf("key %d has %d, the watcher has %q", k, v, mirror[fmt.Sprint(k)])
		}
	}
	if len(all) != len(mirror) {
		return fmt.Errorf("%d entries, the watcher has %d", len(all), len(mirror))
	}
	return nil
}

// A set has no watch; damage of the words of the watchers does no harm to one.
func TestWatchOfSet(t *testing.T) {
	d, _ := newDict(t, Config{Bits: 0, NoValues: true})
	if _, err := d.Watch(ctx); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v, want %v", err, errors.ErrUnsupported)
	}
	*d.word(offWatched) = watched
	if _, err := d.Set(ctx, d.intKey(1), cell.Cell{}, Always); err != nil {
		t.Error(err)
	}
	if head := d.load(uintptr(d.shards[0].feed + feedHead)); head != 0 {
		t.Errorf("a set has a record, up to %d", head)
	}
}
