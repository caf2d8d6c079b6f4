package endpoint

import (
	"fmt"
	"net"
	"strings"
)

// maxPath is the length of the longest path that a socket can have; one byte
// of the kernel's 108 ends it for peers written in C.
const maxPath = 107

// Network tells the kind of an address by its form.
func Network(address string) (string, error) {
	switch {
	case address == "":
		return "", fmt.Errorf("no address: want host:port, a path with a slash in it, or @name")
	case address[0] != '@' && !strings.Contains(address, "/"):
	case len(address) > maxPath:
		return "", fmt.Errorf("address %q: a socket's path has at most %d bytes; choose a directory higher up, or an @name", address, maxPath)
	default:
		return "unix", nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", fmt.Errorf("address %q: want host:port, a path with a slash in it, or @name: %w", address, err)
	}
	return "tcp", nil
}
