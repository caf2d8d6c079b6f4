//go:build !linux

package pymp

// ownerOnly does nothing: only Linux takes the mode of a socket's file from the
// socket. Elsewhere the umask decides, and the authkey guards.
func ownerOnly(uintptr) error { return nil }
