package want

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		name, want string
		fits, fail []string
	}{
		{
			"nothing", "",
			[]string{""},
			[]string{"a\n", "\n"},
		},
		{
			"in order", "a\nb\n\nc\n",
			[]string{"a\nb\n\nc\n", "a\nb\n\nc"},
			[]string{"", "a\nb\n\n", "a\nb\n\nc\nd\n", "a\nb\n\nc\n\n", "b\na\n\nc\n", "a\nb\nc\n", "a\nB\n\nc\n", "a\nb\n\ncc\n"},
		},
		{
			"any order", "# any order\na\nb\nb\n",
			[]string{"a\nb\nb\n", "b\na\nb\n", "b\nb\na\n"},
			[]string{"a\nb\n", "b\nb\n", "a\na\nb\n", "a\nb\nb\nb\n", "a\nb\nc\n"},
		},
		{
			"then", "x\n# any order\na\nb\n# then\ny\nz\n",
			[]string{"x\na\nb\ny\nz\n", "x\nb\na\ny\nz\n"},
			[]string{"a\nx\nb\ny\nz\n", "x\na\ny\nb\nz\n", "x\na\nb\nz\ny\n", "x\na\nb\ny\n", "x\na\nb\nz\n"},
		},
		{
			"meanwhile", "a\nb\n# meanwhile\n1\n2\n# then\nend\n",
			[]string{"a\nb\n1\n2\nend\n", "1\na\n2\nb\nend\n", "1\n2\na\nb\nend\n"},
			[]string{"b\na\n1\n2\nend\n", "a\nb\n2\n1\nend\n", "a\n1\nb\nend\n2\n", "a\nb\n1\nend\n", "a\nb\n1\n2\n2\nend\n"},
		},
		{
			// The first line may belong to either stream; only one choice leads to the end.
			"ambiguous", "a\nb\n# meanwhile\na\nc\n# meanwhile\na\nd\n",
			[]string{"a\nc\na\na\nd\nb\n", "a\na\na\nd\nc\nb\n"},
			[]string{"a\na\nb\nc\na\na\n", "a\nb\nc\na\na\nd\n"},
		},
		{
			"pid", "pid <pid>.\n",
			[]string{"pid 1.\n", "pid 4194303.\n"},
			[]string{"pid 0.\n", "pid -1.\n", "pid 1\n", "pid x.\n", "pid <pid>.\n", "pid 12 .\n"},
		},
		{
			"named pids", "# any order\n<pid:a> asks\n<pid:b> asks\n# any order\n<pid:a> ends\n<pid:b> ends well\n",
			[]string{"1 asks\n2 asks\n1 ends\n2 ends well\n", "1 asks\n2 asks\n1 ends well\n2 ends\n"},
			[]string{"1 asks\n1 asks\n1 ends\n1 ends well\n", "1 asks\n2 asks\n1 ends\n3 ends well\n", "1 asks\n2 asks\n1 ends\n1 ends well\n"},
		},
		{
			"words", "n <0|10|a.c> <addr> [<nil>]\n",
			[]string{"n 0 0xc000 [<nil>]\n", "n 10 0x1 [<nil>]\n", "n a.c 0x1 [<nil>]\n"},
			[]string{"n 1 0x1 [<nil>]\n", "n abc 0x1 [<nil>]\n", "n 0 1 [<nil>]\n", "n 0 0x [<nil>]\n", "n 0|10|a.c 0x1 [<nil>]\n"},
		},
		{
			"remarks", "## why\na\n#b\n",
			[]string{"a\n#b\n"},
			[]string{"## why\na\n#b\n", "a\n"},
		},
	} {
		for _, got := range c.fits {
			if err := Compare(got, c.want); err != nil {
				t.Errorf("%s: %q should fit: %v", c.name, got, err)
			}
		}
		for _, got := range c.fail {
			if Compare(got, c.want) == nil {
				t.Errorf("%s: %q should not fit", c.name, got)
			}
		}
	}
}

func TestComplaint(t *testing.T) {
	for _, c := range []struct{ got, want, says string }{
		{"a\nx\n", "a\nb\n", `line 2 does not fit: "x"; here could stand` + "\n\t\"b\"\n"},
		{"a\n", "a\n# any order\nb\nc\n", "the output ends after line 1; here could stand\n\t\"b\"\n\t\"c\"\n"},
		{"a\nb\n", "a\n", `line 2 is one too many: "b"`},
		{"a\n", "# in any oder\na\n", `want.txt: line 1: no such directive: "# in any oder"`},
	} {
		err := Compare(c.got, c.want)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Compare(%q, %q) = %v, which does not say %q", c.got, c.want, err, c.says)
		}
	}
}

// Eight such streams can be read in more ways than can be tried; situations seen before are not tried again.
func TestManyStreams(t *testing.T) {
	want := strings.Repeat("# meanwhile\n<0|1>\n<0|1>\n<0|1>\n", 8)
	if err := Compare(strings.Repeat("0\n", 24), want); err != nil {
		t.Error(err)
	}
	if Compare(strings.Repeat("0\n", 23)+"2\n", want) == nil {
		t.Error("a wrong last line fits")
	}
}
