package main

import "testing"

func TestByteCount(t *testing.T) {
	for text, want := range map[string]byteCount{
		"0": 0, "-1": -1, "1048576": 1 << 20, "512KiB": 512 << 10, "200MiB": 200 << 20, "4GiB": 4 << 30, "4g": 4 << 30, "4 GB": 4 << 30, "12B": 12,
	} {
		var b byteCount
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%q is %d, %v; want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "x", "MiB", "-2", "1.5GiB", "99999999999GiB"} {
		var b byteCount
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d", text, b)
		}
	}
}
