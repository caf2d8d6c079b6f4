package codec

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
	far    string
	advice string
}

func (d *Dialect) refuse(t reflect.Type, advice string, args ...any) *refusal {
	return &refusal{t.String(), d.Far, fmt.Sprintf(advice, args...)}
}

// Refuse says that values of t cannot travel, and what to do instead.
func (d *Dialect) Refuse(t reflect.Type, advice string) error { return d.refuse(t, "%s", advice) }

func (r *refusal) Error() string {
	return r.what + " cannot travel to " + r.far + "; " + r.advice
}

// Corrupt says that a message is not what its type demands.
func Corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", mperr.ErrCorrupt, fmt.Sprintf(format, args...))
}

// placed is an error on its way out of a value or a type, with the places that
// it has passed, the innermost first. Rooted makes a text of it.
type placed struct {
	places []string
	err    error
}

func (p *placed) Error() string { return p.err.Error() }
func (p *placed) Unwrap() error { return p.err }

// At adds a place to err: ".Field", "[3]", "[key]".
func At(err error, place string) error {
	var p *placed
	if !errors.As(err, &p) {
		p = &placed{err: err}
	}
	p.places = append(p.places, place)
	return p
}

// AtKey is At for the element of a map, or for what lies under its key.
func AtKey(err error, key any) error {
	s := fmt.Sprint(key)
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return At(err, "["+s+"]")
}

// Rooted ends the way of err: it puts the path in front, beginning with the
// type that all of it is about. Of a long path, as a value that leads back to
// itself has, it shows both ends.
func Rooted(t reflect.Type, err error) error {
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

// Trimmed takes the place off err's path that was added last if it is a type's,
// which Rooted says anyway.
func Trimmed(err error) error {
	var p *placed
	if errors.As(err, &p) {
		if n := len(p.places) - 1; strings.HasPrefix(p.places[n], "(") {
			p.places = p.places[:n]
		}
	}
	return err
}
