//go:build mpcrash

package ring

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"multiproc/internal/childtest"
	"multiproc/internal/failpoint"
	"multiproc/internal/mperr"
)

func init() {
	roles["victim put"] = victimPut
	roles["victim get"] = victimGet
}

// Words of the scratch page: what the victim has had confirmed.
const (
	slotPut   = 1 // records whose Put returned
	slotTried = 2 // records whose Put was begun
	slotGot   = 3 // entries of the log
	slotLog   = 16
	logSize   = 480
)

// crashConfigs: the first sleeps and wakes at every turn, the others grow,
// rewind and punch.
var crashConfigs = []Config{{Items: 2, Bytes: 1 << 17}, {Bytes: 1 << 18}}

// arm makes the child die at its n-th pass of a point, once it has begun.
func arm(c *childtest.Self) {
	var n int64
	name, _, _ := strings.Cut(c.Args[0], ":")
	_, err := fmt.Sscanf(c.Args[0][len(name):], ":%d", &n)
	c.Check(err)
	c.Say("ready")
	failpoint.Arm(name, n)
}

func size(rnd *rand.Rand) int { return 16 + rnd.IntN(1<<(4+rnd.IntN(11))) }

// victimPut puts until it is killed.
func victimPut(c *childtest.Self) {
	r, s := childRing(c)
	arm(c)
	rnd := rand.New(rand.NewPCG(1, 1))
	ctx := context.Background()
	for i := 0; ; {
		k := 1
		if i%4 == 3 {
			k = 1 + rnd.IntN(1<<rnd.IntN(9))
		}
		recs := make([][]byte, k)
		for j := range recs {
			recs[j] = item(1, i+j, size(rnd))
		}
		for end := time.Now().Add(2 * time.Millisecond); i%2 == 0 && r.Len() > 0 && time.Now().Before(end); {
			runtime.Gosched() // puts into an empty ring rewind
		}
		s.store(slotTried, uint64(i+k))
		if k == 1 {
			c.Check(r.Put(ctx, addr(recs[0]), len(recs[0])))
		} else {
			_, err := r.PutMany(ctx, k, func(j int) (unsafe.Pointer, int) { return addr(recs[j]), len(recs[j]) })
			c.Check(err)
		}
		i += k
		s.store(slotPut, uint64(i))
	}
}

// victimGet gets until it is killed, and logs what it got.
func victimGet(c *childtest.Self) {
	r, s := childRing(c)
	arm(c)
	ctx := context.Background()
	for n := uint64(0); ; {
		var ids []uint64
		note := func(b []byte) {
			_, i, whole := identify(b)
			if !whole {
				i = 1 << 31
			}
			ids = append(ids, uint64(i)+1)
		}
		if n%3 == 0 {
			_, err := r.GetMany(ctx, 4, func(p unsafe.Pointer, n int) { note(clone(p, n)) })
			c.Check(err)
		} else {
			b, err := r.GetFresh(ctx)
			c.Check(err)
			note(b)
		}
		for _, id := range ids {
			s.store(slotLog+int(n)%logSize, id)
			n++
		}
		s.store(slotGot, n)
	}
}

// TestKilledAtEveryPoint kills a child at every failpoint of this package and
// of the locks and events under it, and goes on where it fell.
func TestKilledAtEveryPoint(t *testing.T) {
	noNet(t)
	var slowest time.Duration
	died := map[string]int{}
	var missing []string
	for _, name := range childtest.Failpoints(t, ".", "../robust") {
		if strings.HasPrefix(name, "rw.") || strings.HasPrefix(name, "lease.") || name == "put.closed" ||
			name == "resident.late" || name == "resident.removed" || strings.HasSuffix(name, ".mended") {
			continue // killed in robust, tests/crash or TestCrashAtEveryStore; no victim here comes past it
		}
		for _, role := range []string{"victim put", "victim get"} {
			if strings.HasPrefix(name, "put.") && role == "victim get" || strings.HasPrefix(name, "get.") && role == "victim put" {
				continue
			}
			for i, n := range []int{1, 2, 90, 1} {
				t.Run(fmt.Sprintf("%s/%s/%d", name, role, n), func(t *testing.T) {
					if d, ok := killAt(t, crashConfigs[min(i, 1)], role, name, n); ok {
						died[name]++
						slowest = max(slowest, d)
					}
				})
			}
		}
		for n := range 20 { // some points take luck
			if died[name] > 0 || !strings.HasPrefix(name, "get.") && !strings.HasPrefix(name, "put.") {
				break
			}
			t.Run(fmt.Sprintf("%s/again/%d", name, n), func(t *testing.T) {
				if d, ok := killAt(t, crashConfigs[1], "victim "+name[:3], name, 1); ok {
					died[name]++
					slowest = max(slowest, d)
				}
			})
		}
		if died[name] == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no child came past %v", missing)
	}
	kills := 0
	for _, n := range died {
		kills += n
	}
	childtest.Tally(t, 0, kills, slowest)
	t.Logf("%d points", len(died))
}

// killAt starts a victim that dies at the n-th pass of name, plays its
// counterpart until then, and checks what is left. It returns how long the
// survivor's next operations took.
func killAt(t *testing.T, cfg Config, role, name string, n int) (time.Duration, bool) {
	r := newRing(t, cfg)
	defer r.Detach()
	s := newScratch(t, r)
	useDeathWord(t, s)
	p := &peer{t: t, r: r, rnd: rand.New(rand.NewPCG(2, 2))}
	for role == "victim get" && cfg.Items == 0 && p.sent < 200 { // several generations
		rec := item(0, p.sent, size(p.rnd))
		if r.TryPut(addr(rec), len(rec)) != nil {
			break
		}
		p.sent++
	}
	c := childtest.Start(t, files(t, r), role, fmt.Sprintf("%s:%d", name, n))
	c.Expect("ready")
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	ended := make(chan error)
	go func() {
		err := c.Wait()
		cancel()
		s.died()
		ended <- err
	}()
	p.play(ctx, role)
	if ctx.Err() == nil { // enough was played, it never comes past the point
		_ = unix.Kill(c.PID(), unix.SIGKILL)
		<-ended
		return 0, false
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the victim ended otherwise than by SIGKILL: %v", err)
	}
	begin := time.Now()
	last := item(3, 0, 16)
	err := r.TryPut(addr(last), len(last))
	if errors.Is(err, mperr.ErrFull) {
		p.get(context.Background())
		err = r.TryPut(addr(last), len(last))
	}
	if err != nil {
		t.Errorf("the survivor's put: %v", err)
	}
	took := time.Since(begin)
	for p.get(context.Background()) {
	}
	if len(p.got[3]) != 1 {
		t.Error("the survivor's own record is lost")
	}
	p.judge(s, role)
	return took, true
}
