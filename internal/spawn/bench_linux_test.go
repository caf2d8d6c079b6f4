package spawn

import (
	"os"
	"os/exec"
	"testing"
)

// The same child, which exits at once, by this package and by os/exec. The
// second pair starts a program that is next to nothing, so that what is
// measured is ours and not the start of a Go runtime.

func BenchmarkStart(b *testing.B) {
	spec := child("exit", "0")
	for _, bench := range []struct {
		name string
		spec Spec
	}{
		{"self", spec},
		{"true", Spec{Path: "/bin/true", Args: []string{"true"}, Env: spec.Env}},
	} {
		b.Run("child="+bench.name, func(b *testing.B) {
			for b.Loop() {
				p, err := Start(bench.spec)
				if err != nil {
					b.Fatal(err)
				}
				exit(p)
			}
		})
	}
}

func BenchmarkOsExec(b *testing.B) {
	spec := child("exit", "0")
	for _, bench := range []struct {
		name, path string
		args       []string
	}{
		{"self", selfExe, spec.Args},
		{"true", "/bin/true", []string{"true"}},
	} {
		b.Run("child="+bench.name, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Cmd{Path: bench.path, Args: bench.args, Env: spec.Env, Stdout: os.Stdout, Stderr: os.Stderr}
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
