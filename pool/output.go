package pool

import (
	"bytes"
	"io"
	"sync"
)

// prefixer writes whole lines with a name in front of each, so that the output of
// several workers can be told apart. A line without an end waits for it, up to
// longLine bytes.
type prefixer struct {
	mu     *sync.Mutex // of the writer, which all workers share
	to     io.Writer
	prefix string
	rest   []byte
}

const longLine = 64 << 10

// Write implements io.Writer.
func (p *prefixer) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	end := bytes.LastIndexByte(p.rest, '\n') + 1
	if end == 0 && len(p.rest) < longLine {
		return len(b), nil
	}
	if end == 0 {
		end = len(p.rest)
	}
	var out []byte
	for line := range bytes.Lines(p.rest[:end]) {
		out = append(append(out, p.prefix...), line...)
	}
	p.rest = append(p.rest[:0], p.rest[end:]...)
	return len(b), p.write(out)
}

func (p *prefixer) write(out []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.to.Write(out)
	return err
}

// flush writes a last line that has no end.
func (p *prefixer) flush() {
	if len(p.rest) > 0 {
		_ = p.write(append(append([]byte(p.prefix), p.rest...), '\n'))
		p.rest = nil
	}
}
