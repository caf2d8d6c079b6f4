// Package crash holds the tests that kill a real process at every failpoint
// and look at what the survivors find. They are built with the tag mpcrash:
//
//	go test -tags mpcrash multiproc/tests/crash
package crash
