// Package complete gives an object of a place all methods of its kind. What the
// place offers itself, by the optional interfaces of multiproc/mp/driver, is
// called directly; what can be built from the interface of the kind is built; a
// call of the rest returns a *Missing.
//
// An object that offers everything is not wrapped, and costs nothing.
package complete
