package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteCount is a number of bytes as a flag: 1048576, 512MiB, 4g.
type byteCount int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *byteCount) UnmarshalText(text []byte) error {
	s := strings.ToLower(strings.TrimSpace(string(text)))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "b"), "i")
	shift := 0
	if n := len(s); n > 0 {
		if i := strings.IndexByte("kmgt", s[n-1]); i >= 0 {
			shift, s = 10*(i+1), s[:n-1]
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n > math.MaxInt64>>shift || n < -1 {
		return fmt.Errorf("%q is no number of bytes: want 1048576, 512KiB, 512MiB or 4GiB", text)
	}
	*b = byteCount(n << shift)
	return nil
}
