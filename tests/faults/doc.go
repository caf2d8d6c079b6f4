// Package faults shows that what a manager promises holds over a network that
// breaks: between clients and server stands a proxy that cuts, stalls,
// truncates, duplicates, drops, delays and changes bytes. What clients were told
// is then compared with what the server has.
//
// Some thousand calls of each kind are made with all other tests, a million
// of each with
//
//	go test -tags soak -timeout 30m multiproc/tests/faults
package faults
