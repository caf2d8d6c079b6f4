// Package want says whether the output of a program is the one that its want.txt promises.
//
// A want.txt is the output itself, line by line. Processes run at the same time, so some
// of it may vary; these lines say how, and everything else is literal text:
//
//	# any order    the lines below come after all lines above, in any order
//	# then         the lines below come after all lines above, in the order written
//	# meanwhile    the lines below keep their order, but mix freely with the block above
//	## some words  a remark
//
//	<pid>          a process id
//	<pid:NAME>     the same id wherever NAME stands, and not the id of any other name
//	<addr>         an address, as %p prints it
//	<a|b|c>        one of these words
//
// A file begins as if "# then" stood above it. Nothing matches a line that is missing, a
// line too many or a line that differs.
package want

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// block is a piece of the output: streams that each keep their order and mix freely.
type block []stream

type stream []pattern

// Compare returns nil if got is an output that want allows, and otherwise an error that
// shows where they part and both texts in full. An error in want itself is reported too.
func Compare(got, want string) error {
	blocks, err := parse(want)
	if err != nil {
		return fmt.Errorf("want.txt: %w", err)
	}
	m := &matcher{lines: lines(got), blocks: blocks, dead: map[string]bool{}}
	if m.from(0, 0, nil, nil) {
		return nil
	}
	return fmt.Errorf("%s\n%s%s", m.complaint(),
		listing("the program printed", m.lines), listing("want.txt says", lines(want)))
}

func parse(text string) ([]block, error) {
	blocks := []block{{nil}}
	anyOrder := false
	for i, line := range lines(text) {
		switch {
		case strings.HasPrefix(line, "## "):
		case line == "# any order":
			blocks, anyOrder = append(blocks, block{}), true
		case line == "# then":
			blocks, anyOrder = append(blocks, block{nil}), false
		case line == "# meanwhile":
			last := &blocks[len(blocks)-1]
			*last, anyOrder = append(*last, nil), false
		case strings.HasPrefix(line, "# "):
			return nil, fmt.Errorf("line %d: no such directive: %q", i+1, line)
		default:
			p, err := compile(line)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			last := blocks[len(blocks)-1]
			if anyOrder {
				blocks[len(blocks)-1] = append(last, stream{p})
			} else {
				last[len(last)-1] = append(last[len(last)-1], p)
			}
		}
	}
	return blocks, nil
}

// matcher looks for a way to read the output as the blocks, one after the other. It tries
// every stream that could have printed the next line and goes back when that leads nowhere.
type matcher struct {
	lines  []string
	blocks []block
	dead   map[string]bool // situations that are known to lead nowhere

	far    int       // the most lines that any attempt could read
	wanted []pattern // what could have come next there
}

// from reports whether lines[n:] can be read from here on, at[i] lines of stream i of
// block b being read and ids being the process ids found so far.
func (m *matcher) from(n, b int, at []int, ids ids) bool {
	for at == nil || done(m.blocks[b], at) {
		if at != nil {
			b++
		}
		if b == len(m.blocks) {
			m.reached(n, nil)
			return n == len(m.lines)
		}
		at = make([]int, len(m.blocks[b]))
	}
	here := fmt.Sprint(n, b, at, ids)
	if m.dead[here] {
		return false
	}
	for i, s := range m.blocks[b] {
		if at[i] == len(s) {
			continue
		}
		m.reached(n, &s[at[i]])
		if n == len(m.lines) {
			continue
		}
		if ids, ok := s[at[i]].match(m.lines[n], ids); ok {
			next := slices.Clone(at)
			next[i]++
			if m.from(n+1, b, next, ids) {
				return true
			}
		}
	}
	m.dead[here] = true
	return false
}

func done(b block, at []int) bool {
	for i, s := range b {
		if at[i] < len(s) {
			return false
		}
	}
	return true
}

// reached remembers what was wanted at the furthest point, for the complaint.
func (m *matcher) reached(n int, p *pattern) {
	if n > m.far {
		m.far, m.wanted = n, nil
	}
	if n == m.far && p != nil {
		m.wanted = append(m.wanted, *p)
	}
}

func (m *matcher) complaint() string {
	set := map[string]bool{}
	for _, p := range m.wanted {
		set[p.text] = true
	}
	wanted := slices.Sorted(maps.Keys(set))
	var s strings.Builder
	switch {
	case m.far == len(m.lines):
		fmt.Fprintf(&s, "the output ends after line %d", m.far)
	case len(wanted) == 0:
		fmt.Fprintf(&s, "line %d is one too many: %q", m.far+1, m.lines[m.far])
	default:
		fmt.Fprintf(&s, "line %d does not fit: %q", m.far+1, m.lines[m.far])
	}
	if len(wanted) > 0 {
		s.WriteString("; here could stand")
	}
	for _, w := range wanted {
		fmt.Fprintf(&s, "\n\t%q", w)
	}
	return s.String()
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func listing(title string, lines []string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s (%d lines):\n", title, len(lines))
	for i, line := range lines {
		fmt.Fprintf(&s, "%4d | %s\n", i+1, line)
	}
	return s.String()
}
