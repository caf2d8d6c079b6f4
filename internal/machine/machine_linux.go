// Package machine tells what of the machine this process may use: memory and
// processors, with the limits of its control groups.
package machine

import (
	"math"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Memory is how much memory this process can use, as far as is known: that of
// the machine, its control groups' or its own limit, whichever is the least.
// math.MaxInt64 says that it is not known. Cost: some 50 µs.
func Memory() int64 {
	n := int64(math.MaxInt64)
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		n = int64(min(uint64(info.Totalram)*uint64(info.Unit), math.MaxInt64))
	}
	for _, resource := range []int{unix.RLIMIT_AS, unix.RLIMIT_DATA} {
		var r unix.Rlimit
		if unix.Getrlimit(resource, &r) == nil && r.Cur < math.MaxInt64 {
			n = min(n, int64(r.Cur))
		}
	}
	return min(n, ownGroups().memory())
}

// quota is what control groups allow, asked once: to ask again costs files.
var quota = sync.OnceValue(func() float64 { return ownGroups().processors() })

// Processors is how many processors this process and all that it works with
// have: by its affinity, which may change, or by the quota of a control group.
// With one, whoever waits by spinning keeps those from running whom it waits
// for. Cost: a system call, 0.2 µs.
func Processors() int {
	n := runtime.NumCPU()
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil { // else a sandbox refuses, or there are very many
		n = set.Count()
	}
	if q := math.Ceil(quota()); q < float64(n) { // a part of one more is another to run on
		n = int(q)
	}
	return max(n, 1)
}
