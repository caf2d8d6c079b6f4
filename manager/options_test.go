package manager

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Nor in what is made of options to be read by programs.
func TestOptionsAsJSON(t *testing.T) {
	b, err := json.Marshal(map[string]any{"options": Options{Authkey: testKey}})
	if key := base64.StdEncoding.EncodeToString(testKey); err != nil || strings.Contains(string(b), key) {
		t.Errorf("%s, %v", b, err)
	}
}

// The key is in nothing that can be printed.
func TestOptionsHideTheKey(t *testing.T) {
	o := Options{Authkey: testKey, AuthkeyFile: "/etc/key"}
	a := startArgs{Key: testKey}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{o, &o, a, &a, []Options{o}} {
			text := fmt.Sprintf(format, v)
			for _, form := range []string{"%s", "%x", "%v", "%q", "%#v"} {
				if strings.Contains(text, strings.Trim(fmt.Sprintf(form, testKey), "[]\"")) {
					t.Errorf("%s of %T shows the key: %s", format, v, text)
				}
			}
		}
	}
}
