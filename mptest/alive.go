package mptest

import "strconv"

// Alive reports whether a process runs. One that has ended and was not yet
// reaped, by whoever has to, does not.
func Alive(pid int) bool {
	s := readStat("/proc/" + strconv.Itoa(pid) + "/stat")
	return len(s) > 0 && s[0] != "Z" && s[0] != "X"
}
