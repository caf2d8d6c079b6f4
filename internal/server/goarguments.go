package server

import (
	"bytes"
	"fmt"

	"multiproc/internal/frames"
	"multiproc/internal/mperr"
	"multiproc/internal/portable"
	"multiproc/internal/store"
)

// arguments copies the arguments out of the frame and checks them. Each has
// memory of its own, for the object may keep one and not the others; only small
// ones share theirs.
func (g *goSession) arguments(c *goCall, f *frames.Frame) ([]store.Item, error) {
	n := f.Args.Len()
	if n == 0 {
		return nil, nil
	}
	rest := f.Args.Raw()
	if err := c.loan.Take(len(rest)); err != nil {
		return nil, err
	}
	apart := n > 1 && len(rest) > smallArguments
	if !apart {
		rest = bytes.Clone(rest)
	}
	args := make([]store.Item, 0, n)
	for i := range n {
		item, after, err := portable.Next(rest)
		tree := 0
		if err == nil {
			tree, err = portable.CheckMeasured(item, g.s.valueLimits())
		}
		if err == nil && (!g.s.opaque || i < n-1 || !keepsLast[string(f.Method)]) {
			err = c.loan.Take(tree) // somebody will look into it
		}
		if err == nil && !g.s.opaque {
			err = refuseOpaqueItem(item)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: argument %d: %w", shortName(f.Method), len(args)+1, err)
		}
		if apart {
			item = bytes.Clone(item)
		}
		args, rest = append(args, store.Measured(item, tree)), after
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%s: something follows the arguments: %w", shortName(f.Method), mperr.ErrCorrupt)
	}
	return args, nil
}

// smallArguments is how long arguments may be that share their memory.
const smallArguments = 64

// keepsLast are the methods of which the last argument is kept as it came.
var keepsLast = map[string]bool{
	"mp.put": true, "mp.tryPut": true, "mp.putBatch": true, "mp.append": true, "mp.extend": true, "mp.insert": true,
	"mp.set": true, "mp.setDefault": true, "mp.setAll": true,
}

// shortName is the name of a method for a message.
func shortName(name []byte) []byte { return name[:min(len(name), maxMethod)] }

// maxMethod is how long the name of a method may be.
const maxMethod = 256

// refuseOpaqueItem is refuseOpaque for an item that was checked: what a Go client
// says of a Python object becomes one in a Python program.
func refuseOpaqueItem(item []byte) error {
	v, err := portable.ParseValue(item)
	if err == nil {
		err = refuseOpaque(v)
	}
	return err
}
