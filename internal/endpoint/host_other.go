//go:build !linux

package endpoint

import "multiproc/internal/frames"

// Host is not known where there is no /proc.
func Host() frames.Host { return frames.Host{} }
