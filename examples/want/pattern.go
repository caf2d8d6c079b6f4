package want

import (
	"maps"
	"regexp"
	"strings"
)

// ids holds the process id that each name stands for.
type ids map[string]string

// pattern is one line of a want.txt.
type pattern struct {
	text  string
	re    *regexp.Regexp
	names []string // of the ids, one for each group of re
}

// Words in angle brackets that are none of these stand for themselves: Go prints nil so.
var placeholder = regexp.MustCompile(`<(?:(pid)(?::(\w+))?|(addr)|([^<>|]+(?:\|[^<>|]+)+))>`)

func compile(line string) (pattern, error) {
	p := pattern{text: line}
	var re strings.Builder
	end := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(line, -1) {
		group := func(i int) string {
			if at[2*i] < 0 {
				return ""
			}
			return line[at[2*i]:at[2*i+1]]
		}
		re.WriteString(regexp.QuoteMeta(line[end:at[0]]))
		switch {
		case group(2) != "":
			re.WriteString(`([1-9][0-9]*)`)
			p.names = append(p.names, group(2))
		case group(1) != "":
			re.WriteString(`[1-9][0-9]*`)
		case group(3) != "":
			re.WriteString(`0x[0-9a-f]+`)
		default:
			words := strings.Split(group(4), "|")
			for i, w := range words {
				words[i] = regexp.QuoteMeta(w)
			}
			re.WriteString("(?:" + strings.Join(words, "|") + ")")
		}
		end = at[1]
	}
	re.WriteString(regexp.QuoteMeta(line[end:]))
	var err error
	p.re, err = regexp.Compile("^(?s:" + re.String() + ")$")
	return p, err
}

// match reports whether line fits, and returns known with the ids that it adds. known is
// never changed, because the matcher may have to go back to it.
func (p pattern) match(line string, known ids) (ids, bool) {
	found := p.re.FindStringSubmatch(line)
	if found == nil {
		return nil, false
	}
	if len(p.names) == 0 {
		return known, true
	}
	all := maps.Clone(known)
	if all == nil {
		all = ids{}
	}
	for i, name := range p.names {
		id := found[i+1]
		for other, taken := range all {
			if (other == name) != (taken == id) {
				return nil, false
			}
		}
		all[name] = id
	}
	return all, true
}
