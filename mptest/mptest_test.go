package mptest_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"multiproc/mp"
	"multiproc/mptest"
)

func TestMain(m *testing.M) { mptest.Main(m) }

const leakEnv = "MPTEST_LEAK"

// Forever does not listen.
var Forever = mp.Proc(func(context.Context, mp.None) error { select {} }, mp.Named("forever"))

var kept any

// TestLeak leaves something behind, when it is run by TestMainFindsLeaks.
func TestLeak(t *testing.T) {
	var err error
	switch os.Getenv(leakEnv) {
	case "":
		t.Skip("run by TestMainFindsLeaks")
	case "child":
		_, err = Forever.Start(context.Background(), mp.None{})
	case "queue":
		kept, err = mp.NewQueue[int](1)
	case "descriptor":
		kept, err = os.Open(os.DevNull)
	case "goroutine":
		go func() { <-make(chan int) }()
	case "shm":
		// The tests of other packages look into /dev/shm at the same time.
		mptest.Settle(300 * time.Millisecond)
		err = os.WriteFile(os.Getenv("MPTEST_FILE"), nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestMainFindsLeaks(t *testing.T) {
	if os.Getenv(leakEnv) != "" {
		return
	}
	file := "/dev/shm/mptest-" + strings.ReplaceAll(t.Name(), "/", "-")
	for leak, want := range map[string]string{
		"child": "child: pid", "queue": "memfd:mp:queue", "descriptor": "→ /dev/null",
		"goroutine": "goroutine: ", "shm": "/dev/shm: mptest-", "none": "",
	} {
		t.Run(leak, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestLeak$")
			cmd.Env = append(os.Environ(), leakEnv+"="+leak, "MPTEST_FILE="+file)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			if leak == "shm" {
				_ = os.Remove(file)
			}
			if (err != nil) != (want != "") || !strings.Contains(out.String(), want) {
				t.Errorf("%v, and it says\n%s\nwant %q in it", err, &out, want)
			}
		})
	}
}

func TestAlive(t *testing.T) {
	p, err := Forever.Start(t.Context(), mp.None{})
	if err != nil {
		t.Fatal(err)
	}
	if !mptest.Alive(p.PID()) || !mptest.Alive(os.Getpid()) {
		t.Error("a process that runs is not alive")
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if mptest.Alive(p.PID()) || mptest.Alive(-1) {
		t.Error("a dead process is alive")
	}
}
