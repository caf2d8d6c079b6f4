// Package interop holds the tests with stock CPython processes: CPython's own
// test suite of managers against our server, Go and Python clients on the same
// objects, clients that are killed, peers that mean harm, and what users suffer
// from in CPython's managers. The server is the test binary itself, in a process
// of its own. They are built with the tag interop:
//
//	go test -tags interop multiproc/tests/interop
//
// They run with each CPython that is found: python3, and those of pyenv.
package interop
