// Package machine describes where and with what a table was measured.
package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
	"unicode"
)

// Header is the top of a results file: machine, kernel, tools, date, command.
func Header(ctx context.Context, when time.Time, command []string) string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-8s %s\n", name+":", value) }
	line("machine", fmt.Sprintf("%s, %d processors, %s/%s", CPU(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH))
	line("kernel", kernel())
	line("go", runtime.Version())
	line("python3", version(ctx, "python3"))
	line("cc", version(ctx, "cc"))
	line("date", when.Format("2006-01-02 15:04 MST"))
	line("command", strings.Join(command, " "))
	return b.String()
}

// CPU returns the processor's model, or the architecture where nothing names one (arm64's cpuinfo often does not).
func CPU() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	return model(string(b))
}

func model(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) == "model name" && strings.TrimSpace(value) != "" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// Slug makes a name fit for a file out of any text: lower case, digits, single dashes.
func Slug(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return strings.Join(words, "-")
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return strings.TrimSpace(string(b))
}

// version is the first line of a tool's own answer.
func version(ctx context.Context, tool string) string {
	out, err := exec.CommandContext(ctx, tool, "--version").Output()
	if err != nil {
		return "–"
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(first)
}
