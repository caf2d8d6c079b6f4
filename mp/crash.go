package mp

import (
	"io"
	"os"
	"strings"
)

// maxCrash bounds how much of a crash report is kept.
const maxCrash = 1 << 20

func readCrash(f *os.File) string {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, maxCrash))
	return strings.TrimLeft(string(b), "\n")
}

// crashReason is what a crash report says, in one line.
//
// The runtime copies to the crash output what it prints from the moment on in
// which it is dying. Of a panic that is everything; of a fatal error it is not
// the first line, which names it and goes to standard error alone. The place
// where it was raised names it as well.
func crashReason(report string) string {
	line, _, _ := strings.Cut(report, "\n")
	switch {
	case strings.HasPrefix(line, "[signal "):
		return "fatal error: " + strings.Trim(line, "[]")
	case !strings.HasPrefix(line, "goroutine ") && !strings.HasPrefix(line, "runtime stack:"):
		return line
	}
	place := raisedIn(report)
	for _, known := range fatalPlaces {
		if strings.HasPrefix(place, known.function) {
			return "fatal error: " + known.reason
		}
	}
	if place == "" {
		return "fatal error"
	}
	return "fatal error in " + place
}

// raisedIn is the function that called the runtime's throw or fatal.
func raisedIn(report string) string {
	raised := false
	for line := range strings.Lines(report) {
		if strings.HasPrefix(line, "\t") || !strings.Contains(line, "(") {
			continue // a file name, or a heading
		}
		function := line[:strings.LastIndexByte(line, '(')]
		switch {
		case function == "runtime.throw" || function == "runtime.fatal" || strings.HasSuffix(function, ".fatal") || strings.HasSuffix(function, ".throw"):
			raised = true
			if strings.HasPrefix(function, "internal/runtime/maps.") {
				return function // who called it is the user's code
			}
		case raised:
			return function
		}
	}
	return ""
}

// fatalPlaces are the fatal errors that a correct program meets, and one that
// an incorrect one does.
var fatalPlaces = []struct{ function, reason string }{
	{"internal/runtime/maps.fatal", "concurrent map read, write or iteration"},
	{"runtime.sysMapOS", "out of memory"},
	{"runtime.sysUsedOS", "out of memory"},
	{"runtime.sysReserve", "out of memory"},
	{"runtime.(*mheap)", "out of memory"},
	{"runtime.(*mcache)", "out of memory"},
	{"runtime.persistentalloc", "out of memory"},
	{"runtime.newosproc", "out of memory, or of threads"},
	{"runtime.newstack", "stack overflow"},
	{"internal/sync.(*Mutex).unlockSlow", "unlock of unlocked sync.Mutex"},
	{"sync.(*RWMutex).Unlock", "Unlock of unlocked sync.RWMutex"},
	{"sync.(*RWMutex).rUnlockSlow", "RUnlock of unlocked sync.RWMutex"},
}
