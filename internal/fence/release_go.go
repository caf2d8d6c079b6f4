//go:build race || (!amd64 && !arm64)

package fence

import "sync/atomic"

// The race detector sees no assembly: there, what a spin lock protects would
// look unprotected.

// StoreRelease64 stores v with at least release order.
func StoreRelease64(addr *uint64, v uint64) { atomic.StoreUint64(addr, v) }

// StoreRelease32 stores v with at least release order.
func StoreRelease32(addr *uint32, v uint32) { atomic.StoreUint32(addr, v) }
