// Command refuse runs a program as if on an older kernel, or in a stricter
// sandbox: chosen system calls fail with an error of choice, in the program
// and in all that it starts.
//
//	go run ./tests/refuse -calls futex_waitv,close_range -errno ENOSYS -- COMMAND...
//
// A call may be followed by a condition on one of its arguments, so that only
// some of its uses fail:
//
//	memfd_create:1&8   where argument 1 has any of the bits 8
//	memfd_create:1!8   where it has none of them
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	calls := flag.String("calls", "", "system calls that fail, by name, separated by commas; each with a condition NAME:ARGUMENT&BITS or NAME:ARGUMENT!BITS")
	errno := flag.String("errno", "ENOSYS", "how they fail: ENOSYS, EPERM, EINVAL or EACCES")
	flag.Parse()
	if err := run(*calls, *errno, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "refuse:", err)
		os.Exit(2)
	}
}

// run replaces this program by the command; it returns only to report an error.
func run(calls, errno string, command []string) error {
	if len(command) == 0 {
		return errors.New("no command; give it behind --")
	}
	var rules []rule
	for _, text := range strings.Split(calls, ",") {
		r, err := parse(text)
		if err != nil {
			return err
		}
		rules = append(rules, r)
	}
	return execFiltered(rules, errno, command)
}

// rule is one system call that fails.
type rule struct {
	name string
	arg  int    // which argument the condition looks at; -1: no condition
	bits uint32 // in its low half
	set  bool   // the call fails where any of bits is set, else where none is
}

func parse(text string) (rule, error) {
	name, condition, ok := strings.Cut(text, ":")
	r := rule{name: name, arg: -1}
	if !ok {
		return r, nil
	}
	var sign byte
	if n, err := fmt.Sscanf(condition, "%d%c%v", &r.arg, &sign, &r.bits); n != 3 || err != nil || r.arg < 0 || r.arg > 5 || (sign != '&' && sign != '!') {
		return r, fmt.Errorf("condition %q: write ARGUMENT&BITS or ARGUMENT!BITS", condition)
	}
	r.set = sign == '&'
	return r, nil
}
