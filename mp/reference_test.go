package mp

import "testing"

// References come from other processes of the family; a spoilt one is an error.
func FuzzReference(f *testing.F) {
	f.Add([]byte{refPlace, 1, 'x', 'y'})
	f.Add([]byte{refPlace, 200})
	f.Add([]byte{refBeside})
	f.Fuzz(func(t *testing.T, ref []byte) {
		if len(ref) > 0 && ref[0] != refPlace {
			ref[0] = refPlace
		}
		if obj, err := openReference(ref); err == nil {
			t.Errorf("% x opens %v", ref, obj)
		}
	})
}
