package endpoint

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"
	"sync"
	"syscall"

	"multiproc/internal/frames"
)

// Host names this machine, until it is started anew, and our namespace of
// processes: only within that do two processes mean the same by a pid.
var Host = sync.OnceValue(func() (h frames.Host) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return frames.Host{}
	}
	id, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(boot)), "-", ""))
	info, statErr := os.Stat("/proc/self/ns/pid")
	if err != nil || statErr != nil || len(id) != 16 {
		return frames.Host{}
	}
	copy(h[:], id)
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		binary.BigEndian.PutUint64(h[16:], st.Ino)
	}
	return h
})
