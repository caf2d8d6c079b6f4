//go:build !mpcrash

package failpoint

// Enabled tells whether this binary was built with the tag mpcrash.
const Enabled = false

// Hit does nothing in this build.
func Hit(string) {}
