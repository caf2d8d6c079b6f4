//go:build mpnopin || mpcrash

package pin

// Works tells whether On and Off do anything in this build.
const Works = false

// On does nothing in this build.
func On() {}

// Off does nothing in this build.
func Off() {}

// Processor does nothing in this build.
func Processor() int { return 0 }
