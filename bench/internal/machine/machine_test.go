package machine

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestSlug(t *testing.T) {
	for text, want := range map[string]string{
		"AMD EPYC":                           "amd-epyc",
		"Intel(R) Xeon(R) CPU E5-2680 @ 2.4": "intel-r-xeon-r-cpu-e5-2680-2-4",
		"../x/é ":                            "x",
	} {
		if got := Slug(text); got != want {
			t.Errorf("Slug(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestModel(t *testing.T) {
	if got := model("processor\t: 0\nmodel name\t: AMD EPYC 7B13\nflags\t: x\n"); got != "AMD EPYC 7B13" {
		t.Errorf("model = %q", got)
	}
	if got := model("processor\t: 0\n"); got != runtime.GOARCH {
		t.Errorf("model without a name = %q, want the architecture", got)
	}
}

func TestHeader(t *testing.T) {
	h := Header(t.Context(), time.Date(2030, 1, 2, 3, 4, 0, 0, time.UTC), []string{"bench", "-short"})
	for _, want := range []string{"machine: ", "kernel:  ", runtime.Version(), "2030-01-02 03:04 UTC", "bench -short"} {
		if !strings.Contains(h, want) {
			t.Errorf("header lacks %q:\n%s", want, h)
		}
	}
}
