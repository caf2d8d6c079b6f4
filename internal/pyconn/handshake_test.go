package pyconn

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"multiproc/internal/mperr"
)

func counting(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i)
	}
	return p
}

// The vectors were computed by CPython with the key "secret".
func TestAnswersOfCPython(t *testing.T) {
	message := append([]byte("{sha256}"), counting(40)...)
	for _, c := range []struct {
		name            string
		message, prefix []byte
		sum             string
	}{
		{"old", counting(20), nil, "7defa9cc46abc3583325d17ccda75190"},
		{"new", message, []byte("{sha256}"), "fc57fbe650d6124b98215e7b5d197d5807ad69982d275a9735ea2d56f1fa6989"},
	} {
		got, err := respond([]byte("secret"), c.message)
		sum, _ := hex.DecodeString(c.sum)
		if want := append(bytes.Clone(c.prefix), sum...); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: % x, %v", c.name, got, err)
		}
	}
	old, _ := hex.DecodeString("8e48d2bb349b4b72b9382999ed5b62eb")
	if err := verify([]byte("secret"), message, old); err != nil {
		t.Errorf("the answer of Python 3.11 to our challenge: %v", err)
	}
}

func TestVerify(t *testing.T) {
	key, message := []byte("k"), append([]byte("{sha256}"), counting(40)...)
	for name := range digests {
		sum, err := mac(name, key, message)
		if err != nil {
			t.Fatal(err)
		}
		good := append([]byte("{"+name+"}"), sum...)
		if err := verify(key, message, good); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1
			if err := verify(key, message, bad); !errors.Is(err, mperr.ErrAuth) {
				t.Errorf("%s with byte %d changed: %v", name, i, err)
			}
		}
		for _, bad := range [][]byte{good[:len(good)-1], append(good, 0), sum} {
			if name != "md5" || !bytes.Equal(bad, sum) {
				if err := verify(key, message, bad); !errors.Is(err, mperr.ErrAuth) {
					t.Errorf("%s, %d bytes: %v", name, len(bad), err)
				}
			}
		}
	}
	for _, bad := range []string{"", "{", "{}", "{sha1}" + strings.Repeat("x", 20), "{sha256", "{md5}", strings.Repeat("{", 40)} {
		if err := verify(key, message, []byte(bad)); !errors.Is(err, mperr.ErrAuth) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// pipe returns two Conns that end after some seconds at the latest.
func pipe(t *testing.T) (client, server *Conn) {
	t.Helper()
	a, b := net.Pipe()
	client, server = New(a), New(b)
	for _, c := range []*Conn{client, server} {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		t.Cleanup(func() { _ = c.Close() })
	}
	return client, server
}

func TestHandshake(t *testing.T) {
	for _, c := range []struct {
		name, client, server string
		ok                   bool
	}{
		{"same key", "secret", "secret", true},
		{"other key", "secret", "Secret", false},
		{"client without a key", "", "secret", false},
		{"server without a key", "secret", "", false},
		{"nobody has a key", "", "", false},
	} {
		client, server := pipe(t)
		done := make(chan error, 1)
		go func() {
			err := ServerHandshake(server, []byte(c.server))
			if err != nil {
				_ = server.Close()
			}
			done <- err
		}()
		err := ClientHandshake(client, []byte(c.client))
		_ = client.Close()
		served := <-done
		if c.ok != (err == nil) || c.ok != (served == nil) {
			t.Errorf("%s: client %v, server %v", c.name, err, served)
		}
		if !c.ok && !errors.Is(err, mperr.ErrAuth) && !errors.Is(served, mperr.ErrAuth) {
			t.Errorf("%s: nobody says that authentication failed: %v, %v", c.name, err, served)
		}
		for _, err := range []error{err, served} {
			if err != nil && strings.Contains(strings.ToLower(err.Error()), "secret") {
				t.Errorf("%s: the error tells the key: %v", c.name, err)
			}
		}
	}
	if len(underway.set) != 0 {
		t.Error("challenges are remembered for ever")
	}
}

// oldDeliver and oldAnswer are Python up to 3.11.
func oldDeliver(c *Conn, key []byte) error {
	message := make([]byte, oldMessage)
	_, _ = rand.Read(message)
	if err := c.WriteFrame(append([]byte("#CHALLENGE#"), message...)); err != nil {
		return err
	}
	got, err := c.ReadFrame(256)
	if err != nil {
		return err
	}
	if want, _ := mac("md5", key, message); !bytes.Equal(got, want) {
		_ = c.WriteFrame(failure)
		return errors.New("digest received was wrong")
	}
	return c.WriteFrame(welcome)
}

func oldAnswerer(c *Conn, key []byte) error {
	got, err := c.ReadFrame(256)
	if err != nil {
		return err
	}
	sum, _ := mac("md5", key, got[len("#CHALLENGE#"):])
	if err := c.WriteFrame(sum); err != nil {
		return err
	}
	if got, err = c.ReadFrame(256); err != nil || !bytes.Equal(got, welcome) {
		return errors.Join(err, errors.New("digest sent was rejected"))
	}
	return nil
}

func TestHandshakeWithTheOldGeneration(t *testing.T) {
	key := []byte("secret")
	client, server := pipe(t)
	done := make(chan error, 1)
	go func() { done <- errors.Join(oldDeliver(server, key), oldAnswerer(server, key)) }()
	if err := ClientHandshake(client, key); err != nil {
		t.Errorf("client: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("old server: %v", err)
	}
	client, server = pipe(t)
	go func() { done <- errors.Join(oldAnswerer(client, key), oldDeliver(client, key)) }()
	if err := ServerHandshake(server, key); err != nil {
		t.Errorf("server: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("old client: %v", err)
	}
}

// What a stranger says instead of a handshake is an error at once, and its
// kind tells whether the key or the connection was at fault.
func TestHostileHandshakes(t *testing.T) {
	long := framed(pattern(257))
	huge := []byte{0x7f, 0xff, 0xff, 0xff}
	message := append([]byte("#CHALLENGE#{sha256}"), counting(40)...)
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"silence", nil, io.ErrUnexpectedEOF},
		{"truncated header", []byte{0, 0}, io.ErrUnexpectedEOF},
		{"truncated challenge", framed(message)[:30], io.ErrUnexpectedEOF},
		{"too long", long, mperr.ErrAuth},
		{"huge", huge, mperr.ErrAuth},
		{"negative", []byte{0x80, 0, 0, 0}, mperr.ErrAuth},
		{"empty", framed(nil), mperr.ErrAuth},
		{"a web server", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), mperr.ErrAuth},
		{"short challenge", framed([]byte("#CHALLENGE#0123456789")), mperr.ErrAuth},
		{"bare prefix", framed([]byte("#CHALLENGE#")), mperr.ErrAuth},
		{"unknown digest", framed([]byte("#CHALLENGE#{crc32}" + strings.Repeat("x", 40))), mperr.ErrAuth},
		{"no digest", framed([]byte("#CHALLENGE#" + strings.Repeat("x", 48))), mperr.ErrAuth},
		{"failure", framed(message, failure), mperr.ErrAuth},
		{"no judgement", framed(message), io.ErrUnexpectedEOF},
		{"judgement too long", append(framed(message), long...), mperr.ErrAuth},
		{"welcome for anything", framed(message, welcome, []byte("0123456789abcdef")), mperr.ErrAuth},
		{"welcome and gone", framed(message, welcome), io.ErrUnexpectedEOF},
	} {
		s := &script{in: bytes.NewReader(c.in)}
		if err := ClientHandshake(New(s), []byte("secret")); !errors.Is(err, c.want) {
			t.Errorf("client, %s: %v", c.name, err)
		}
		s = &script{in: bytes.NewReader(c.in)}
		if err := ServerHandshake(New(s), []byte("secret")); err == nil {
			t.Errorf("server, %s: accepted", c.name)
		} else if bytes.Contains(s.out.Bytes(), welcome) {
			t.Errorf("server, %s: welcomed a stranger", c.name)
		}
	}
}

// A listener that knows no key passes the challenge that it gets on one
// connection to the next connection, to learn the answer.
func TestChallengeIsNotReflected(t *testing.T) {
	key := []byte("secret")
	first, rogue := pipe(t)
	done := make(chan error, 1)
	go func() { done <- ClientHandshake(first, key) }()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(rogue.WriteFrame(append([]byte("#CHALLENGE#"), counting(20)...)))
	_, err := rogue.ReadFrame(256)
	must(err)
	must(rogue.WriteFrame(welcome))
	got, err := rogue.ReadFrame(256)
	must(err)
	stolen := bytes.Clone(got)

	s := &script{in: bytes.NewReader(framed(stolen))}
	if err := ClientHandshake(New(s), key); !errors.Is(err, mperr.ErrAuth) || s.out.Len() > 0 {
		t.Errorf("the second connection answers the challenge of the first: %v, % x", err, s.out.Bytes())
	}
	_ = rogue.Close()
	if err := <-done; err == nil {
		t.Error("the first connection was authenticated")
	}
}

// A peer that sends one byte now and then for ever is ended by the deadline.
func TestHandshakeHasADeadline(t *testing.T) {
	for name, shake := range map[string]func(*Conn, []byte) error{"client": ClientHandshake, "server": ServerHandshake} {
		a, b := tcpPair(t)
		go func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := b.Write([]byte{0}); err != nil {
					return
				}
			}
		}()
		c := New(&patient{Conn: a})
		_ = c.SetDeadline(time.Now().Add(100 * time.Millisecond))
		if err := shake(c, []byte("secret")); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, mperr.ErrAuth) {
			t.Errorf("%s: %v", name, err)
		}
		_ = c.Close()
	}
}

// patient hides the type of a connection, as TLS does.
type patient struct{ net.Conn }

// FuzzAnswer lets a stranger challenge us, and answer our challenge. Nothing
// that it can say makes it known to us, and what we say never holds the key.
func FuzzAnswer(f *testing.F) {
	f.Add(framed(append([]byte("#CHALLENGE#{sha256}"), counting(40)...), welcome, counting(16)))
	f.Add(framed(append([]byte("#CHALLENGE#"), counting(20)...), welcome, append([]byte("{sha3_384}"), counting(48)...)))
	f.Add([]byte{0, 0, 1, 0})
	key := []byte("correct horse battery staple")
	f.Fuzz(func(t *testing.T, in []byte) {
		for _, shake := range []func(*Conn, []byte) error{ClientHandshake, ServerHandshake} {
			s := &script{in: bytes.NewReader(in)}
			if err := shake(New(s), key); err == nil {
				t.Fatal("a stranger is known to us")
			} else if strings.Contains(err.Error(), string(key)) {
				t.Fatal("the error tells the key")
			}
			if bytes.Contains(s.out.Bytes(), key) || bytes.Contains(s.out.Bytes(), welcome) {
				t.Fatalf("we said % x", s.out.Bytes())
			}
		}
		if got, err := respond(key, in); err == nil && len(got) > maxHandshake {
			t.Fatalf("an answer of %d bytes", len(got))
		}
	})
}
