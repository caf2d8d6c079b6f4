// Package soak holds the tests that take minutes: a storm of kills, and tens
// of thousands of processes. They are built with the tag soak:
//
//	go test -tags soak multiproc/tests/soak
package soak
