// Package registry offers the types and functions of the program, which package
// manager registers, as objects of a store.
package registry
