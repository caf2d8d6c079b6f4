// Package fence has the machine instructions that lock-free code in
// shared memory wants and sync/atomic does not offer: a store with release
// order only, a fence between loads, and the pause of a spin loop.
//
// sync/atomic's stores are sequentially consistent: on amd64 that is an XCHG
// of some 20 cycles, where a plain MOV already has release order. A robust
// lock needs six such stores for one Lock and Unlock.
package fence
