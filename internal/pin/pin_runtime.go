//go:build !mpnopin && !mpcrash

package pin

import _ "unsafe" // for linkname

// Works tells whether On and Off do anything in this build.
const Works = true

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// On pins the calling goroutine until Off. The two nest.
func On() { procPin() }

// Off undoes one On.
func Off() { procUnpin() }

// Processor is the number of the scheduler's processor that runs the caller,
// from 0 to GOMAXPROCS - 1, or was a moment ago if it is not pinned.
func Processor() int {
	n := procPin()
	procUnpin()
	return n
}
