package server

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"multiproc/internal/pickle"
	"multiproc/internal/pyconn"
	"multiproc/internal/pyvalue"
	"multiproc/internal/registry"
	"multiproc/internal/store"
)

// recorded is a frame that CPython's client or server has sent.
type recorded struct {
	conn   int
	server bool
	value  pyvalue.Value
}

// recording reads the pickles of a recording; the frames of handshakes are not
// among them.
func recording(t *testing.T, name string) (all []recorded) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line []any
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(line[2].(string))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 0 || b[0] != firstPickle {
			continue
		}
		v, err := pickle.Decode(b, pickle.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, recorded{int(line[0].(float64)), line[1] == "S", v})
	}
	return all
}

// replay is a recorded conversation that is held again, with our server.
type replay struct {
	t      *testing.T
	s      *testServer
	conns  map[int]*pyconn.Conn
	idents map[string]string // recorded to ours
	ours   pyvalue.Value     // address
}

// The answers to what CPython's client once asked CPython's server mean the
// same when our server gives them.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	registerGolden()
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			r := &replay{t: t, s: serveTest(t, "tcp"), conns: map[int]*pyconn.Conn{}, idents: map[string]string{}}
			all := recording(t, name)
			for i, f := range all {
				if !f.server {
					r.ask(f, answerTo(all[i+1:], f.conn))
				}
			}
			if len(r.idents) < 12 {
				t.Errorf("only %d objects were made", len(r.idents))
			}
		})
	}
}

// registerGolden offers what the recorded client asked a pool to run.
func registerGolden() {
	registry.RegisterFunc("here", "builtins.abs", func(x float64) int { return int(math.Abs(x)) })
	registry.RegisterFunc("here", "builtins.int", func(s string) error {
		return registry.NewException("ValueError", fmt.Sprintf("invalid literal for int() with base 10: '%s'", s))
	})
}

// answerTo is the next frame that the server sent on that connection.
func answerTo(rest []recorded, conn int) pyvalue.Value {
	for _, f := range rest {
		if f.conn == conn {
			if f.server {
				return f.value
			}
			return nil
		}
	}
	return nil
}

func (r *replay) ask(f recorded, want pyvalue.Value) {
	r.t.Helper()
	c := r.conns[f.conn]
	if c == nil {
		c = r.s.join(r.t)
		a := c.NetConn().RemoteAddr().(*net.TCPAddr)
		r.conns[f.conn], r.ours = c, pyvalue.Tuple{a.IP.String(), int64(a.Port)}
	}
	request, err := pickle.Encode(nil, r.translate(f.value), pickle.EncodeOptions{})
	if err == nil {
		err = c.WriteFrame(request)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := c.ReadFrame(1 << 20)
	if err != nil {
		r.t.Fatalf("%s: %v", pyvalue.Repr(f.value), err)
	}
	got, err := pickle.Decode(b, pickle.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	if want != nil {
		r.compare(f.value.(pyvalue.Tuple)[1].(string), got.(pyvalue.Tuple), want.(pyvalue.Tuple))
	}
}

// compare takes note of new idents, and fails the test unless two answers mean
// the same.
func (r *replay) compare(method string, got, want pyvalue.Tuple) {
	r.t.Helper()
	same := got[0] == want[0]
	switch {
	case !same:
	case want[0] == pyvalue.Value(kindTraceback), method == "debug_info":
		_, same = got[1].(string)
	case method == "get_methods":
		same = contains(got[1], want[1])
	case method == "create":
		g, w := got[1].(pyvalue.Tuple), want[1].(pyvalue.Tuple)
		r.idents[w[0].(string)] = g[0].(string)
		same = contains(g[1], w[1])
	case want[0] == pyvalue.Value(kindProxy):
		g, w := got[1].(pyvalue.Tuple), want[1].(pyvalue.Tuple)
		gt, _, gid, _ := parseToken(g[1])
		wt := w[1].(*pyvalue.Object).State.(pyvalue.Tuple)
		r.idents[wt[2].(string)] = store.Ident(gid)
		same = pyvalue.Equal(gt, wt[0]) && contains(g[0], w[0])
	case want[0] == pyvalue.Value(kindError):
		g, w := got[1].(*pyvalue.Object), want[1].(*pyvalue.Object)
		same = pyvalue.Equal(g.Func, w.Func) && pyvalue.Equal(g.Args, w.Args)
	default:
		same = pyvalue.Repr(got[1]) == pyvalue.Repr(r.translate(want[1]))
	}
	if !same {
		r.t.Errorf("%s: we answer %s, CPython %s", method, pyvalue.Repr(got), pyvalue.Repr(want))
	}
}

// contains reports whether all names of want are in got, which may have those of
// later versions of Python as well.
func contains(got, want pyvalue.Value) bool {
	have := new(pyCodec).texts(got)
	for _, name := range new(pyCodec).texts(want) {
		if !slices.Contains(have, name) {
			return false
		}
	}
	return len(have) > 0
}

var recordedIdent = regexp.MustCompile(`^[0-9a-f]{10,16}$`)

// translate puts our idents and address in the place of those of the recording.
func (r *replay) translate(v pyvalue.Value) pyvalue.Value {
	switch v := v.(type) {
	case string:
		if now, ok := r.idents[v]; ok && recordedIdent.MatchString(v) {
			return now
		}
	case pyvalue.Tuple:
		if len(v) == 2 && v[0] == pyvalue.Value("127.0.0.1") {
			return r.ours
		}
		return pyvalue.Tuple(r.all(v))
	case *pyvalue.List:
		return &pyvalue.List{Items: r.all(v.Items)}
	case *pyvalue.Dict:
		d := &pyvalue.Dict{}
		for _, e := range v.Entries {
			d.Entries = append(d.Entries, pyvalue.Entry{Key: r.translate(e.Key), Value: r.translate(e.Value)})
		}
		return d
	case *pyvalue.Object:
		o := *v
		o.Func, o.Args, o.Kwargs, o.State = r.translate(v.Func), r.translate(v.Args), r.translate(v.Kwargs), r.translate(v.State)
		return &o
	}
	return v
}

func (r *replay) all(items []pyvalue.Value) []pyvalue.Value {
	out := make([]pyvalue.Value, len(items))
	for i, v := range items {
		out[i] = r.translate(v)
	}
	return out
}
