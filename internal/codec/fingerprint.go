package codec

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// fingerprint hashes a description of the graph below root. Nodes are numbered
// as they are met, and one that is met again stands as its number. Names of
// types do not count, except where the type itself decides about the bytes.
func fingerprint(root *Node) [16]byte {
	h := sha256.New()
	digest(h, root, map[*Node]int{})
	return [16]byte(h.Sum(nil))
}

func digest(w io.Writer, n *Node, seen map[*Node]int) {
	if number, ok := seen[n]; ok {
		fmt.Fprintf(w, "^%d ", number)
		return
	}
	seen[n] = len(seen)
	fmt.Fprintf(w, "%d %v %d ", n.Shape, n.Type.Kind(), n.Type.Size())
	switch n.Shape {
	case ShapeHandle:
		fmt.Fprintf(w, "%q ", n.Type)
	case shapeInterface:
		fmt.Fprintf(w, "%q ", n.Type)
	case ShapeBinary:
		fmt.Fprintf(w, "%q %s ", n.Type, n.Form.name)
	}
	if n.Key != nil {
		digest(w, n.Key, seen)
	}
	if n.Elem != nil {
		digest(w, n.Elem, seen)
	}
	for _, f := range n.Fields {
		fmt.Fprintf(w, ".%q %d ", f.Name, f.Offset)
		digest(w, f.Node, seen)
	}
	fmt.Fprint(w, "; ")
}
