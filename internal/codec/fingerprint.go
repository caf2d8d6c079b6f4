package codec

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// fingerprint hashes a description of the graph below root. Nodes are numbered
// as they are met, and one that is met again stands as its number. Names of
// types do not count, except where the type itself decides about the bytes.
func fingerprint(root *node) [16]byte {
	h := sha256.New()
	describe(h, root, map[*node]int{})
	return [16]byte(h.Sum(nil))
}

func describe(w io.Writer, n *node, seen map[*node]int) {
	if number, ok := seen[n]; ok {
		fmt.Fprintf(w, "^%d ", number)
		return
	}
	seen[n] = len(seen)
	fmt.Fprintf(w, "%d %v %d ", n.shape, n.typ.Kind(), n.typ.Size())
	switch n.shape {
	case shapeHandle:
		fmt.Fprintf(w, "%q ", n.typ)
	case shapeAny:
		if n.typ.NumMethod() > 0 {
			fmt.Fprintf(w, "%q ", n.typ)
		}
	case shapeCustom:
		fmt.Fprintf(w, "%q %s ", n.typ, n.form.name)
	}
	if n.key != nil {
		describe(w, n.key, seen)
	}
	if n.elem != nil {
		describe(w, n.elem, seen)
	}
	for _, f := range n.fields {
		fmt.Fprintf(w, ".%q %d ", f.name, f.offset)
		describe(w, f.node, seen)
	}
	fmt.Fprint(w, "; ")
}
