//go:build amd64 || arm64

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// numbers are the calls that the library can do without.
var numbers = map[string]uint32{
	"clone":             unix.SYS_CLONE,
	"clone3":            unix.SYS_CLONE3,
	"close_range":       unix.SYS_CLOSE_RANGE,
	"fallocate":         unix.SYS_FALLOCATE,
	"futex_waitv":       unix.SYS_FUTEX_WAITV,
	"memfd_create":      unix.SYS_MEMFD_CREATE,
	"pidfd_getfd":       unix.SYS_PIDFD_GETFD,
	"pidfd_open":        unix.SYS_PIDFD_OPEN,
	"pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL,
	"prctl":             unix.SYS_PRCTL,
	"prlimit64":         unix.SYS_PRLIMIT64,
	"sched_getaffinity": unix.SYS_SCHED_GETAFFINITY,
	"sched_setaffinity": unix.SYS_SCHED_SETAFFINITY,
	"setpriority":       unix.SYS_SETPRIORITY,
	"waitid":            unix.SYS_WAITID,
}

var errnos = map[string]unix.Errno{"ENOSYS": unix.ENOSYS, "EPERM": unix.EPERM, "EINVAL": unix.EINVAL, "EACCES": unix.EACCES}

var archs = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// Offsets in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// filter is the program that the kernel runs at each system call. Calls of
// another architecture pass.
func filter(rules []rule, refuse unix.Errno) ([]unix.SockFilter, error) {
	load := func(at int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: uint32(at)}
	}
	unless := func(k uint32, skip int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: uint8(skip)}
	}
	answer := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	const allow = 0x7fff0000 // SECCOMP_RET_ALLOW
	fail := answer(0x00050000 | uint32(refuse))

	arch, ok := archs[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("no filter for %s", runtime.GOARCH)
	}
	code := []unix.SockFilter{
		load(offArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: arch, Jt: 1},
		answer(allow),
	}
	for _, r := range rules {
		nr, ok := numbers[r.name]
		if !ok {
			return nil, fmt.Errorf("system call %q is not one of those it knows", r.name)
		}
		if r.arg < 0 {
			code = append(code, load(offNumber), unless(nr, 1), fail)
			continue
		}
		test := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: r.bits}
		if r.set {
			test.Jf = 1
		} else {
			test.Jt = 1
		}
		code = append(code, load(offNumber), unless(nr, 3), load(offArgs+8*r.arg), test, fail)
	}
	return append(code, answer(allow)), nil
}

func execFiltered(rules []rule, errno string, command []string) error {
	refuse, ok := errnos[strings.ToUpper(errno)]
	if !ok {
		return fmt.Errorf("-errno %s: it knows ENOSYS, EPERM, EINVAL and EACCES", errno)
	}
	code, err := filter(rules, refuse)
	if err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	// The filter is the calling thread's and goes through the exec, which
	// ends the other threads.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return fmt.Errorf("seccomp filter: %w", err)
	}
	return fmt.Errorf("exec %s: %w", path, unix.Exec(path, slices.Clone(command), os.Environ()))
}
