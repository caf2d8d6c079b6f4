//go:build mpcrash && !linux

package failpoint

// Enabled tells whether failpoints work in this build: only Linux has them.
const Enabled = false

// Hit does nothing on this platform.
func Hit(string) {}

// Arm does nothing on this platform.
func Arm(string, int64) {}

// SetHook does nothing on this platform.
func SetHook(func(name string)) {}
