package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"multiproc/manager"
)

// asCommand makes the test program the command itself.
const asCommand = "MULTIPROC_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// SIGTERM ends the server as if its work were done: no complaint, no file.
func TestSIGTERM(t *testing.T) {
	socket := t.TempDir() + "/s"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "serve", "--listen", socket)
	cmd.Env = append(os.Environ(), asCommand+"=1", manager.EnvAuthkey+"=sesame")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "listening on "+socket {
		t.Errorf("it said %q, %v", line, err)
	}
	m, err := manager.Dial(t.Context(), socket, manager.Options{Authkey: []byte("sesame")})
	must(t, err)
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is still there")
	}
	_ = m.Close() // the server has ended: what Close says does not matter
}
