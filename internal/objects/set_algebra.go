package objects

import (
	"slices"

	"multiproc/internal/store"
)

// Sets as slices of members. The results have the order of a, then of b, and
// no member twice; a has none twice, b may.

func intersect(a, b []hashed) []hashed {
	in := hashes(b)
	return slices.DeleteFunc(slices.Clone(a), func(k hashed) bool { return !has(in, k) })
}

func subtract(a, b []hashed) []hashed {
	in := hashes(b)
	return distinct(slices.DeleteFunc(slices.Clone(a), func(k hashed) bool { return has(in, k) }))
}

func unite(a, b []hashed) []hashed { return distinct(slices.Concat(a, b)) }

func differ(a, b []hashed) []hashed { return unite(subtract(a, b), subtract(b, a)) }

// contains reports whether all of b is in a.
func contains(a, b []hashed) bool {
	in := hashes(a)
	return !slices.ContainsFunc(b, func(k hashed) bool { return !has(in, k) })
}

func has(in map[string]struct{}, k hashed) bool {
	_, ok := in[k.hash]
	return ok
}

// distinct keeps the first of equal members.
func distinct(members []hashed) []hashed {
	seen := make(map[string]struct{}, len(members))
	out := make([]hashed, 0, len(members))
	for _, k := range members {
		if !has(seen, k) {
			seen[k.hash] = struct{}{}
			out = append(out, k)
		}
	}
	return out
}

// What the operands of a method that takes any number of them come to. Each is
// forgotten before the next one is made: a message may name one of them very
// often.

// anyOf is what is in any of the operands.
func anyOf(all *loops, operands []store.Item) ([]hashed, error) {
	var out []hashed
	seen := map[string]struct{}{}
	for _, it := range operands {
		members, err := all.members(it)
		if err != nil {
			return nil, err
		}
		for _, k := range members {
			if !has(seen, k) {
				seen[k.hash] = struct{}{}
				out = append(out, k)
			}
		}
	}
	return out, nil
}

// allOf is what is in all of the operands, of which there is one at
// least.
func allOf(all *loops, operands []store.Item) ([]hashed, error) {
	var out []hashed
	for i, it := range operands {
		members, err := all.members(it)
		switch {
		case err != nil:
			return nil, err
		case i == 0:
			out = distinct(members)
		default:
			if err := undecided(out, members); err != nil {
				return nil, err
			}
			out = intersect(out, members)
		}
	}
	return out, nil
}

// The changes by operands, all of them or none. The mutex is held. What the
// operands come to is known by then: what is in any of them, or in all.

func (o *set) addAll(b []hashed) error {
	_, err := o.add(b)
	return err
}

func (o *set) dropAll(b []hashed) error {
	o.drop(b)
	return nil
}

func (o *set) keepOnly(b []hashed) error {
	o.retain(b)
	return nil
}

// toggle takes out what is there and puts in what is not.
func (o *set) toggle(b []hashed) error {
	b = distinct(b)
	missing := subtract(b, o.members())
	present := subtract(b, missing)
	if _, err := o.add(missing); err != nil {
		return err
	}
	o.drop(present)
	return nil
}
