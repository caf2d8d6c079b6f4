package progress

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
)

// view is what a bar shows at one moment.
type view struct {
	name            string
	done, total     int // total is 0 if it is not known
	failed, retried int
	elapsed         time.Duration
	rate            float64 // items a second, of late
	gaveUp          bool    // if it ends now: there was more to come
	closed          bool    // and nothing of the above is to be shown
}

// share is how much is done: a percentage, or the number of items if there is no
// total or it was too small. It is 100% when all is done and not before.
func (v view) share() string {
	switch {
	case v.closed:
		return ""
	case v.total == 0:
		return fmt.Sprint(v.done)
	case v.done > v.total:
		return v.count()
	}
	return fmt.Sprintf("%d%%", int(100*float64(v.done)/float64(v.total)))
}

func (v view) count() string {
	if v.total == 0 {
		return fmt.Sprint(v.done)
	}
	return fmt.Sprintf("%d of %d", v.done, v.total)
}

// left is how long the rest will take, or "".
func (v view) left() string {
	if v.rate == 0 || v.done >= v.total {
		return ""
	}
	seconds := math.Ceil(float64(v.total-v.done) / v.rate)
	if seconds > 1000*60*60 {
		return ""
	}
	return long(time.Duration(seconds)*time.Second) + " left"
}

// faults is what went wrong, or "".
func (v view) faults() string {
	var list []string
	if v.failed > 0 {
		list = append(list, fmt.Sprintf("%d failed", v.failed))
	}
	if v.retried > 0 {
		list = append(list, fmt.Sprintf("%d retried", v.retried))
	}
	return strings.Join(list, ", ")
}

// line is a line of text of how far it is.
func (v view) line() string {
	list := []string{v.count()}
	if v.total >= max(v.done, 1) {
		list = append(list, v.share())
	}
	return v.join(append(list, speed(v.rate), v.left(), v.faults()))
}

// last is the line of text of the end.
func (v view) last() string {
	average := 0.
	if v.elapsed > 0 {
		average = float64(v.done) / v.elapsed.Seconds()
	}
	list := []string{v.count() + " in " + long(v.elapsed), speed(average), v.faults()}
	if v.gaveUp {
		list = append(list, "given up")
	}
	return v.join(list)
}

// join makes a line of those parts that are not empty.
func (v view) join(parts []string) string {
	line := ""
	for _, p := range parts {
		if p != "" && line != "" {
			line += ", "
		}
		line += p
	}
	if v.name != "" {
		line = v.name + ": " + line
	}
	return line + "\n"
}

// speed is a rate for people.
func speed(perSecond float64) string {
	switch {
	case perSecond == 0:
		return ""
	case perSecond < 1./60:
		return digits(perSecond*60*60) + "/h"
	case perSecond < 1:
		return digits(perSecond*60) + "/min"
	case perSecond < 9999.5:
		return digits(perSecond) + "/s"
	case perSecond < 999.5e3:
		return digits(perSecond/1e3) + "k/s"
	}
	return digits(perSecond/1e6) + "M/s"
}

// digits is a number with two digits, or all that it has before the point.
func digits(x float64) string {
	if x < 9.95 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// long is how long something takes, for people.
func long(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	switch {
	case d < 9950*time.Millisecond && d%time.Second != 0:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 60*60:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
}

// plain makes a name one line that leaves the terminal alone.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, name)
}
