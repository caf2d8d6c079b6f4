//go:build amd64 || arm64

package fence

// Pause spins for n pause instructions: roughly 40 cycles each on current
// amd64 machines, fewer on arm64.
func Pause(n uint32)

// LoadLoad keeps loads before it before loads after it: a reader that copies
// memory and then looks whether it changed meanwhile needs that.
func LoadLoad()
