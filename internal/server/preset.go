package server

import (
	"fmt"

	"multiproc/internal/pyvalue"
	"multiproc/internal/store"
)

// Preset is a named object that is there before the first client.
type Preset struct {
	Name string
	Type string // its type id
	Args []any  // of the constructor: nil, bool, int64, float64, string
}

// preset makes the objects. The session that makes them ends: a named object
// lives without one.
func (s *Server) preset(all []Preset) error {
	ss := s.store.Join(store.Client{Name: "the server's own objects"})
	defer ss.End(nil)
	for _, p := range all {
		if s.store.Type(p.Name) != nil {
			return fmt.Errorf("the object %q: a type has that name, and Python asks for objects as for types", p.Name)
		}
		var args store.Args
		for _, a := range p.Args {
			args.Pos = append(args.Pos, store.Of(pyvalue.Value(a)))
		}
		_, _, made, err := ss.Open(p.Type, p.Name, args)
		if err != nil {
			return fmt.Errorf("the object %q: %w", p.Name, err)
		}
		if !made {
			return fmt.Errorf("two objects have the name %q", p.Name)
		}
	}
	return nil
}
