package mp

import (
	"sync"

	"multiproc/internal/machine"
)

// What queues and pipes hold at most unless MaxBytes says otherwise: sparse
// memory, used as it fills.
const (
	defaultQueueBytes = 1 << 30
	defaultPipeBytes  = 64 << 20 // in each direction

	leastDefaultBytes = 1 << 20
)

// usable is what this process may use of the machine's memory.
var usable = sync.OnceValue(machine.Memory)

// defaultBytes is the bound of a queue or a direction of a pipe: full, which
// takes a quarter of the memory at most that the process may use. One that
// nobody empties then says that it is full before the kernel ends the family.
// Bounds are powers of two: memory is used up to the next one.
func defaultBytes(full, memory int64) int64 {
	for full > leastDefaultBytes && full > memory/4 {
		full /= 2
	}
	return full
}
