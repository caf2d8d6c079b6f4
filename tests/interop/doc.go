// Package interop holds the tests with stock CPython processes: CPython's own
// test suite of managers against our server, Go and Python clients on the same
// objects, clients that are killed. They are built with the tag interop:
//
//	go test -tags interop multiproc/tests/interop
//
// They run with each CPython that is found: python3, and those of pyenv.
package interop
