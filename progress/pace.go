package progress

import "time"

// pace remembers how many items were done when, the oldest first, and as much of
// it as says how fast it goes now: ten seconds, and ten items. What takes a
// minute an item has a pace too, and what takes a microsecond does not fill the
// memory, for an entry is a second and an item younger than the next.
type pace []sample

type sample struct {
	at   time.Time
	done int
}

const (
	paceTime  = 10 * time.Second
	paceItems = 10
)

// rate is in items a second, 0 if that cannot be said.
func (p *pace) rate(now time.Time, done int) float64 {
	list := *p
	for len(list) > 1 && now.Sub(list[1].at) >= paceTime && done-list[1].done >= paceItems {
		list = list[1:]
	}
	if last := list[len(list)-1]; done > last.done && now.Sub(last.at) >= time.Second {
		list = append(list, sample{now, done})
	}
	*p = list
	past := now.Sub(list[0].at).Seconds()
	if past <= 0 {
		return 0
	}
	return float64(done-list[0].done) / past
}
