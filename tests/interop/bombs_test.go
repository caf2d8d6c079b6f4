//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"multiproc/internal/pyconn"
	"multiproc/manager"
)

// Small requests for large things are refused by a server that has a limit for
// bytes, soon, and without taking the memory first.
func TestBombs(t *testing.T) {
	all := pythons(t)
	hostile(t, "unix", 400, func(s *testServer, m *manager.Manager) {
		p := all[0].start(t, s, "bombs")
		for n := 0; ; n++ {
			line := p.Line()
			if line == "done" {
				if n < 30 {
					t.Errorf("only %d bombs", n)
				}
				break
			}
			t.Log(line)
			parts := strings.Split(line, " | ")
			took, err := strconv.ParseFloat(parts[1], 64)
			must(t, err)
			if took > 20 || strings.HasPrefix(parts[2], "afterwards") || strings.HasPrefix(parts[2], "EOFError") {
				t.Error(line)
			}
		}
		p.Ended()
	}, bytesEnv+"=16777216")
}

// What a message takes in memory is bounded beyond its length, whatever is in
// it.
func TestDenseMessages(t *testing.T) {
	const size, limit = 32 << 20, 64 << 20
	for name, opcode := range map[string]string{"lists": "]", "marks": "("} {
		t.Run(name, func(t *testing.T) {
			hostile(t, "unix", (2*size+4*limit)>>20, func(s *testServer, m *manager.Manager) {
				b := append([]byte("\x80\x04("), bytes.Repeat([]byte(opcode), size/len(opcode))...)
				for _, connect := range []func(testing.TB) *pyconn.Conn{s.join, s.channel} {
					settle(t, "a dense message is refused for what is in it", func() (string, bool) {
						c := connect(t)
						defer func() { _ = c.Close() }()
						must(t, c.WriteFrame(append(b, "t."...)))
						must(t, c.SetDeadline(time.Now().Add(4*prompt)))
						kind, what, err := answer(c)
						must(t, err)
						// What the one before took may still be counted.
						busy := kind == "#ERROR" && strings.Contains(fmt.Sprint(what), "MemoryError")
						if kind != "#TRACEBACK" && !busy {
							t.Fatalf("%s %v", kind, what)
						}
						return kind, !busy
					})
				}
			}, fmt.Sprint(bytesEnv, "=", limit))
		})
	}
}
