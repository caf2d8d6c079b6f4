package pymp

import "syscall"

func ownerOnly(fd uintptr) error { return syscall.Fchmod(int(fd), 0o600) }
