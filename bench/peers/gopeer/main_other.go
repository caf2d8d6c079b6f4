//go:build !linux

// Gopeer measures what else Go programs use between two processes. It does so on Linux only.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "gopeer: not supported on", runtime.GOOS)
	os.Exit(1)
}
