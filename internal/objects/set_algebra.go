package objects

import "slices"

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

// The changes by operands, all of them or none. The mutex is held.

func (o *set) addAll(operands [][]hashed) error {
	_, err := o.add(slices.Concat(operands...))
	return err
}

func (o *set) dropAll(operands [][]hashed) error {
	for _, b := range operands {
		o.drop(b)
	}
	return nil
}

func (o *set) keepOnly(operands [][]hashed) error {
	for _, b := range operands {
		o.retain(b)
	}
	return nil
}

// toggle takes out what is there and puts in what is not.
func (o *set) toggle(operands [][]hashed) error {
	for _, b := range operands {
		b = distinct(b)
		missing := subtract(b, o.members())
		present := subtract(b, missing)
		if _, err := o.add(missing); err != nil {
			return err
		}
		o.drop(present)
	}
	return nil
}
