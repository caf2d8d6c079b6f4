package mptest

import "time"

// Settle lets tests wait less: what they leave behind on purpose, others see.
func Settle(d time.Duration) { settle = d }
