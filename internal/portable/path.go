package portable

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"multiproc/internal/mperr"
)

// refusal says that a type cannot travel, and what to do instead.
type refusal struct {
	what   string
	advice string
}

func refuse(t reflect.Type, advice string, args ...any) *refusal {
	return &refusal{t.String(), fmt.Sprintf(advice, args...)}
}

func (r *refusal) Error() string {
	return r.what + " cannot travel to another program; " + r.advice
}

// corrupt says that a message is not what its type demands.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", mperr.ErrCorrupt, fmt.Sprintf(format, args...))
}

// placed is an error on its way out of a value or a type, with the places that
// it has passed, the innermost first. It never leaves the package.
type placed struct {
	places []string
	err    error
}

func (p *placed) Error() string { return p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

// at adds a place to err: ".Field", "[3]", "[key]".
func at(err error, place string) error {
	var p *placed
	if !errors.As(err, &p) {
		p = &placed{err: err}
	}
	p.places = append(p.places, place)
	return p
}

// atKey is at for the element of a map, or for what lies under its key.
func atKey(err error, key any) error {
	s := fmt.Sprint(key)
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return at(err, "["+s+"]")
}

// rooted ends the way of err: it puts the path in front, beginning with the
// type that all of it is about. Of a long path, as a value that leads back to
// itself has, it shows both ends.
func rooted(t reflect.Type, err error) error {
	path := []string{t.String()}
	var (
		p *placed
		r *refusal
	)
	if errors.As(err, &p) {
		slices.Reverse(p.places)
		path = append(path, p.places...)
		err = p.err
	} else if errors.As(err, &r) && r.what == t.String() {
		return err // of t itself, which it names already
	}
	if n := len(path); n > 16 {
		path = slices.Concat(path[:10], []string{" … "}, path[n-3:])
	}
	return fmt.Errorf("%s: %w", strings.Join(path, ""), err)
}
