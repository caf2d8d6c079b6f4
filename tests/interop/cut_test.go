//go:build interop

package interop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"multiproc/manager"
	"multiproc/mp"
)

// Machines of the test are network namespaces: the server's and the far one,
// connected by a virtual cable. The addresses are those that RFC 5737 keeps for
// examples; nothing leaves the two.
const (
	nearAddress = "192.0.2.1"
	farAddress  = "192.0.2.2"
	farEnv      = "INTEROP_FAR"        // names the far machine, inside of the server's
	farGoEnv    = "INTEROP_FAR_CLIENT" // the server that a Go client on the far machine goes to
)

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// machines makes the two, and names them.
func machines(t *testing.T) (near, far string) {
	t.Helper()
	near, far = fmt.Sprintf("mpnear%d", os.Getpid()), fmt.Sprintf("mpfar%d", os.Getpid())
	if err := ip("netns", "add", near); err != nil {
		if slices.Contains(strings.Split(os.Getenv("MP_REQUIRE"), ","), "netns") {
			t.Fatal(err)
		}
		t.Skipf("needs network namespaces: %v", err)
	}
	t.Cleanup(func() { must(t, ip("netns", "del", near)) })
	must(t, ip("netns", "add", far))
	t.Cleanup(func() { must(t, ip("netns", "del", far)) })
	must(t, ip("-n", near, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", far))
	for name, address := range map[string]string{near: nearAddress, far: farAddress} {
		must(t, ip("-n", name, "address", "add", address+"/24", "dev", "cable"))
		must(t, ip("-n", name, "link", "set", "cable", "up"))
		must(t, ip("-n", name, "link", "set", "lo", "up"))
	}
	return near, far
}

// A machine that is cut off, without a word, is noticed by both sides.
func TestCutOff(t *testing.T) {
	near, far := machines(t)
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), "ip", "netns", "exec", near, self, "-test.run=^TestCutOffInside$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), farEnv+"="+far)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestCutOffInside") {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "noticed after") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// TestCutOffInside is TestCutOff, on the server's machine.
func TestCutOffInside(t *testing.T) {
	far := os.Getenv(farEnv)
	if far == "" {
		t.Skip("TestCutOff runs it")
	}
	s := startServer(t, nearAddress+":0")
	m := s.dial(t)
	locks, queues := map[string]*mp.Mutex{}, map[string]*mp.Queue[string]{}
	for _, of := range []string{"", " of go"} {
		lock, err := mp.NewMutex(mp.In(m), mp.WithName("lock"+of))
		locks[of] = closing(t, lock, err)
		q, err := mp.NewQueue[string](0, mp.In(m), mp.WithName("queue"+of))
		queues[of] = closing(t, q, err)
	}
	p := pythons(t)[0]
	p.path = onMachine(t, far, p.path)
	p.start(t, s, "holder", "lock").Want("holds")
	p.start(t, s, "holder", "get").Want("waits")
	client := startFarClient(t, far, s)
	client.want("holds")

	must(t, ip("-n", far, "address", "del", farAddress+"/24", "dev", "cable"))
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for of := range locks {
		// The item goes to the one who is not there any more, and comes back.
		must(t, queues[of].Put(ctx, "item"))
		var died *mp.OwnerDiedError
		if err := locks[of].Lock(ctx); !errors.As(err, &died) {
			t.Errorf("lock%s: %v, want that its owner died", of, err)
		}
		if item, err := queues[of].Get(ctx); item != "item" || err != nil {
			t.Errorf("queue%s: %q %v", of, item, err)
		}
	}
	t.Logf("the server noticed after %v", time.Since(began))
	client.want("unknown fate")
	t.Logf("the client noticed after %v", time.Since(began))
}

// onMachine makes a program of a path that runs on another machine.
func onMachine(t *testing.T, machine, path string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), filepath.Base(path))
	text := fmt.Sprintf("#!/bin/sh\nexec ip netns exec '%s' '%s' \"$@\"\n", machine, path)
	must(t, os.WriteFile(program, []byte(text), 0o700))
	return program
}

// farClient is a Go client on the far machine.
type farClient struct {
	t     *testing.T
	lines *bufio.Scanner
}

func startFarClient(t *testing.T, far string, s *testServer) *farClient {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command("ip", "netns", "exec", far, self)
	cmd.Env = append(os.Environ(), farGoEnv+"="+s.address, manager.EnvAuthkey+"="+string(s.key))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &farClient{t, bufio.NewScanner(out)}
}

func (c *farClient) want(line string) {
	c.t.Helper()
	if !c.lines.Scan() || c.lines.Text() != line {
		c.t.Fatalf("the client says %q (%v), want %q", c.lines.Text(), c.lines.Err(), line)
	}
}

// runFarClient is that client: it takes the lock and waits for an item.
func runFarClient(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	m, err := manager.Dial(ctx, address, manager.Options{})
	if err != nil {
		return err
	}
	lock, err := mp.NewMutex(mp.In(m), mp.WithName("lock of go"))
	if err != nil {
		return err
	}
	q, err := mp.NewQueue[string](0, mp.In(m), mp.WithName("queue of go"))
	if err != nil {
		return err
	}
	if err := lock.Lock(ctx); err != nil {
		return err
	}
	fmt.Println("holds")
	if _, err = q.Get(ctx); errors.Is(err, mp.ErrUnknownFate) {
		fmt.Println("unknown fate")
		return nil
	}
	return fmt.Errorf("get ended with %w", err)
}
