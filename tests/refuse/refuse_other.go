//go:build !linux || !(amd64 || arm64)

package main

import (
	"runtime"

	"multiproc/internal/mperr"
)

func execFiltered([]rule, string, []string) error {
	return &mperr.UnsupportedError{Facility: "seccomp", Platform: runtime.GOOS + "/" + runtime.GOARCH}
}
