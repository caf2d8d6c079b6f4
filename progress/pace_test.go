package progress

import (
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	start := time.Unix(1e9, 0)
	for _, test := range []struct {
		name    string
		every   time.Duration // is looked
		n       int           // so often
		items   int           // done between two looks
		want    float64       // in the end
		entries int           // at most
	}{
		{"fast", 150 * time.Millisecond, 10_000, 15_000, 100_000, 13},
		{"an item a second", time.Second, 1000, 1, 1, 13},
		{"an item a minute", time.Minute, 1000, 1, 1. / 60, 13},
		{"nothing yet", time.Second, 1000, 0, 0, 1},
		{"at once", 0, 3, 5, 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := pace{{at: start}}
			var got float64
			for i := range test.n {
				got = p.rate(start.Add(time.Duration(i+1)*test.every), (i+1)*test.items)
				if len(p) > test.entries {
					t.Fatalf("%d entries", len(p))
				}
			}
			if got < test.want*.999 || got > test.want*1.001 {
				t.Errorf("%v items a second, want %v", got, test.want)
			}
		})
	}
}

// What was slow and is fast now is fast, and what stands still becomes slow.
func TestPaceChanges(t *testing.T) {
	now := time.Unix(1e9, 0)
	p := pace{{at: now}}
	done := 0
	for range 100 {
		now = now.Add(time.Minute)
		done++
		p.rate(now, done)
	}
	for range 20 {
		now = now.Add(time.Second)
		done += 50
		p.rate(now, done)
	}
	if r := p.rate(now, done); r < 49 || r > 51 {
		t.Errorf("%v items a second, want 50", r)
	}
	if r := p.rate(now.Add(90*time.Second), done); r < .5 || r > .6 {
		t.Errorf("%v items a second after a pause, want 50 in 91 s", r)
	}
}

func TestSpeed(t *testing.T) {
	for x, want := range map[float64]string{
		0: "", 1. / 3600: "1.0/h", 0.5: "30/min", 1: "1.0/s", 9.94: "9.9/s", 9.96: "10/s", 340.4: "340/s", 9999: "9999/s",
		12345: "12k/s", 999_000: "999k/s", 1.26e6: "1.3M/s",
	} {
		if got := speed(x); got != want {
			t.Errorf("%v items a second are %q, want %q", x, got, want)
		}
	}
}

func TestLong(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 40 * time.Millisecond: "0.0s", 3100 * time.Millisecond: "3.1s", 9 * time.Second: "9s", 9990 * time.Millisecond: "10s",
		59400 * time.Millisecond: "59s", 59600 * time.Millisecond: "1m00s", 185 * time.Second: "3m05s", 2*time.Hour + 3*time.Minute: "2h03m",
		59*time.Minute + 59600*time.Millisecond: "1h00m",
	} {
		if got := long(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestShare(t *testing.T) {
	for v, want := range map[view]string{
		{}: "0", {done: 7}: "7", {done: 999, total: 1000}: "99%", {done: 1000, total: 1000}: "100%", {done: 3, total: 2}: "3 of 2",
		{total: 5}: "0%", {done: 1, total: 1 << 62}: "0%",
	} {
		if got := v.share(); got != want {
			t.Errorf("%+v is %q, want %q", v, got, want)
		}
	}
}

// So long is no use to anybody.
func TestNeverDone(t *testing.T) {
	if s := (view{done: 1, total: 1 << 62, rate: 1e-9}).left(); s != "" {
		t.Errorf("%q", s)
	}
}
