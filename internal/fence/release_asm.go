//go:build (amd64 || arm64) && !race

package fence

// StoreRelease64 stores v so that everything this thread stored before is
// visible to whoever reads v with an atomic load. It does not order later
// loads: a StoreLoad fence must come from elsewhere (a swap, a CAS).
//
//go:noescape
func StoreRelease64(addr *uint64, v uint64)

// StoreRelease32 is StoreRelease64 for 32 bits.
//
//go:noescape
func StoreRelease32(addr *uint32, v uint32)
