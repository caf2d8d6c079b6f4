//go:build !linux

package machine

import "time"

var started, epoch = time.Now(), int64(1)
