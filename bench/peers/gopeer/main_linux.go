// Gopeer measures what else Go programs use between two processes.
//
//	gopeer N TRANSPORT trip PAUSE_US     8 bytes there and back
//	gopeer N TRANSPORT bulk SIZE         blocks one way
//	gopeer N redis calls CALLERS         SET and GET in turn at a redis-server of its own
//
// It is a program of its own so that the one that measures ours carries none of its dependencies: what a binary links
// is paid at every start of a child.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// The environment of the second process: which half to be, and the size of the blocks to come.
const (
	serveEnv = "GOPEER_SERVE"
	sizeEnv  = "GOPEER_SIZE"
)

func main() {
	var err error
	if name := os.Getenv(serveEnv); name != "" {
		err = serve(name)
	} else {
		err = run(os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gopeer:", err)
		os.Exit(1)
	}
}

func serve(name string) error {
	size, err := strconv.Atoi(os.Getenv(sizeEnv))
	if err != nil {
		return err
	}
	return servers[name](size)
}

func run(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("want N TRANSPORT WORK NUMBER, got %q", args)
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	if args[1] == "redis" {
		perOp, err := redisCalls(n, number)
		if err != nil {
			return err
		}
		_, err = fmt.Printf("{\"per_op\": %g}\n", perOp)
		return err
	}
	start, ok := transports[args[1]]
	if !ok {
		return fmt.Errorf("no such transport: %q", args[1])
	}
	size := 8
	if args[2] == "bulk" {
		size = number
	}
	l, err := start(size)
	if err != nil {
		return err
	}
	defer l.Close()
	perOp, err := measure(l, args[2], n, number)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("{\"per_op\": %g}\n", perOp)
	return err
}

// serveIn is the command for the second process; it ends with this one. file becomes its descriptor 3.
func serveIn(name string, size int, file *os.File) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), serveEnv+"="+name, sizeEnv+"="+strconv.Itoa(size))
	if file != nil { // nil is for go-plugin, which reads stderr itself
		cmd.Stderr = os.Stderr
		cmd.ExtraFiles = []*os.File{file}
	}
	return cmd
}

// pair starts the second process with one end of a socketpair and returns the other.
func pair(name string, size int) (*os.File, *exec.Cmd, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "their end")
	defer theirs.Close()
	ours := os.NewFile(uintptr(fds[0]), "our end")
	cmd := serveIn(name, size, theirs)
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, cmd, nil
}
