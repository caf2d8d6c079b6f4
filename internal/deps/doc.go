// Package deps holds the shape of this module, as tests: which package may
// import which, what a child process must never link, how long a file may be,
// and that the documents say what the code does. It has no code of its own.
//
// When one of these tests fails, change what it found. To change the test is
// to change a rule of the project, and belongs into a change of its own.
package deps
