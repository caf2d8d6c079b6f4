//go:build !linux

package manager

import "multiproc/internal/frames"

// thisHost is not known where there is no /proc.
func thisHost() frames.Host { return frames.Host{} }
