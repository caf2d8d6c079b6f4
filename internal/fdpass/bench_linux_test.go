package fdpass

import "testing"

// BenchmarkFrame is one frame there and one back, both ends in this process.
func BenchmarkFrame(b *testing.B) {
	for name, n := range map[string]int{"fds=0": 0, "fds=1": 1, "fds=16": 16} {
		b.Run(name, func(b *testing.B) {
			near, far := pair(b)
			fds := memfds(b, n)
			payload := make([]byte, 128)
			go func() {
				for {
					p, got, err := far.ReadFrame()
					if err != nil {
						return
					}
					closeAll(got)
					if far.WriteFrame(p, nil) != nil {
						return
					}
				}
			}()
			for b.Loop() {
				if err := near.WriteFrame(payload, fds); err != nil {
					b.Fatal(err)
				}
				if _, _, err := near.ReadFrame(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
