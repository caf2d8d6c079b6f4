package pyconn

import (
	"bytes"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"multiproc/internal/mperr"
)

// The handshake. One end delivers a challenge, the other answers it with a MAC
// of it under the key; then they change roles. The server of the connection
// delivers first:
//
//	server                                   client
//	  #CHALLENGE# + message             -->
//	                                    <--    MAC of the message
//	  #WELCOME#, or #FAILURE# and close -->
//	                                    <--    #CHALLENGE# + message
//	  MAC of the message                -->
//	                                    <--    #WELCOME#, or #FAILURE# and close
//
//	generation   message                   MAC
//	to 3.11      20 random bytes           16 bytes: HMAC-MD5
//	from 3.12    {sha256} + 40 random      {name} + HMAC-name, over the whole
//	             bytes, or another name    message with its own {name}
//
// An old answerer takes a new message as a long old one and sends the bare
// HMAC-MD5 of all of it, which a new deliverer accepts. We deliver new
// messages always, and answer as we are asked.
//
// The handshake proves to each end that the other knows the key, at that
// moment. It does not protect what follows: on a network that others can write
// to, use TLS, or a tunnel, underneath.

var (
	prefixChallenge = []byte("#CHALLENGE#")
	welcome         = []byte("#WELCOME#")
	failure         = []byte("#FAILURE#")
)

const (
	maxHandshake = 256 // no frame of the handshake is longer
	oldMessage   = 20
	oldAnswer    = md5.Size
	newRandom    = 40
)

// digests are the names that the handshake knows.
var digests = map[string]func() hash.Hash{
	"md5":      md5.New,
	"sha256":   sha256.New,
	"sha384":   sha512.New384,
	"sha3_256": func() hash.Hash { return sha3.New256() },
	"sha3_384": func() hash.Hash { return sha3.New384() },
}

// ServerHandshake authenticates both ends, for the end that accepted the
// connection. It answers nothing before the client has shown that it knows the
// key. An error that wraps mperr.ErrAuth says that the keys differ or that the
// peer speaks something else; others are the connection's. No error contains
// the key. The Conn must be closed after an error.
//
// It blocks as long as the peer pleases: set a deadline.
func ServerHandshake(c *Conn, key []byte) error {
	if err := Deliver(c, key, rand.Reader); err != nil {
		return err
	}
	return Answer(c, key)
}

// ClientHandshake is ServerHandshake for the end that dialled.
//
// It refuses to answer a challenge that another ClientHandshake of this
// process has under way. CPython's clients fall for that: who knows no key
// listens, passes the challenge of one connection to the next and learns the
// answer from it.
func ClientHandshake(c *Conn, key []byte) error {
	if err := answer(c, key, underway.has); err != nil {
		return err
	}
	message, err := challenge(rand.Reader)
	if err != nil {
		return err
	}
	underway.add(message)
	defer underway.remove(message)
	return deliver(c, key, message)
}

// Deliver is one half of the handshake: it challenges the peer with bytes from
// random, judges its answer and tells it so.
func Deliver(c *Conn, key []byte, random io.Reader) error {
	message, err := challenge(random)
	if err != nil {
		return err
	}
	return deliver(c, key, message)
}

// Answer is the other half: it answers the peer's challenge and waits for its
// judgement.
func Answer(c *Conn, key []byte) error {
	return answer(c, key, func([]byte) bool { return false })
}

func challenge(random io.Reader) ([]byte, error) {
	message := append([]byte("{sha256}"), make([]byte, newRandom)...)
	if _, err := io.ReadFull(random, message[len(message)-newRandom:]); err != nil {
		return nil, fmt.Errorf("make a challenge: %w", err)
	}
	return message, nil
}

func deliver(c *Conn, key, message []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := c.WriteFrame(append(bytes.Clone(prefixChallenge), message...)); err != nil {
		return fmt.Errorf("send the challenge: %w", err)
	}
	got, err := readHandshake(c, "the answer to the challenge")
	if err != nil {
		return err
	}
	if err := verify(key, message, got); err != nil {
		_ = c.WriteFrame(failure) // the peer learns why it is cut off, if it still listens
		return err
	}
	if err := c.WriteFrame(welcome); err != nil {
		return fmt.Errorf("send the welcome: %w", err)
	}
	return nil
}

func answer(c *Conn, key []byte, refuse func(message []byte) bool) error {
	if err := checkKey(key); err != nil {
		return err
	}
	got, err := readHandshake(c, "the challenge")
	if err != nil {
		return err
	}
	message, ok := bytes.CutPrefix(got, prefixChallenge)
	if !ok {
		return fmt.Errorf("the peer did not begin with a challenge: is it a manager or listener with an authkey? %w", mperr.ErrAuth)
	}
	if refuse(message) {
		return fmt.Errorf("the peer repeats a challenge of our own: it wants to be told the answer: %w", mperr.ErrAuth)
	}
	response, err := respond(key, message)
	if err != nil {
		return err
	}
	if err := c.WriteFrame(response); err != nil {
		return fmt.Errorf("send the answer to the challenge: %w", err)
	}
	judgement, err := readHandshake(c, "the judgement of the answer")
	if err != nil {
		return err
	}
	if !bytes.Equal(judgement, welcome) {
		return fmt.Errorf("the peer rejected our answer: it has another authkey: %w", mperr.ErrAuth)
	}
	return nil
}

// readHandshake reads a frame of the handshake. A frame that no handshake
// sends is a failed authentication; an end of the connection stays what it is.
func readHandshake(c *Conn, what string) ([]byte, error) {
	p, err := c.ReadFrame(maxHandshake)
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, mperr.ErrTooLarge), errors.Is(err, mperr.ErrCorrupt):
		return nil, fmt.Errorf("read %s: %w: %w", what, err, mperr.ErrAuth)
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read %s: the peer left in the middle of the handshake: %w", what, io.ErrUnexpectedEOF)
	}
	return nil, fmt.Errorf("read %s: %w", what, err)
}

// respond is the answer to a message that was delivered.
func respond(key, message []byte) ([]byte, error) {
	if len(message) < oldMessage {
		return nil, fmt.Errorf("the challenge is only %d bytes long: %w", len(message), mperr.ErrAuth)
	}
	name, _, err := splitDigest(message)
	if err != nil {
		return nil, err
	}
	if name == "" && !fips140.Enforced() {
		return mac("md5", key, message)
	}
	if name == "" {
		name = "sha256" // as Pythons without MD5 do: an old peer refuses it, a new one takes it
	}
	sum, err := mac(name, key, message)
	return append([]byte("{"+name+"}"), sum...), err
}

// verify judges the answer to a message that we delivered.
func verify(key, message, response []byte) error {
	name, sum, err := splitDigest(response)
	if err != nil {
		return err
	}
	if name == "" {
		name = "md5"
	}
	want, err := mac(name, key, message)
	if err != nil {
		return err
	}
	if !hmac.Equal(want, sum) {
		return fmt.Errorf("the peer answered the challenge wrongly: it has another authkey: %w", mperr.ErrAuth)
	}
	return nil
}

// splitDigest returns the name that a message begins with, and what follows.
// Messages of the old generation have no name: they are told by their length.
func splitDigest(message []byte) (name string, rest []byte, err error) {
	if len(message) == oldMessage || len(message) == oldAnswer {
		return "", message, nil
	}
	if len(message) > 0 && message[0] == '{' {
		head, rest, ok := bytes.Cut(message[1:], []byte("}"))
		if _, known := digests[string(head)]; ok && known {
			return string(head), rest, nil
		}
	}
	return "", nil, fmt.Errorf("the peer uses a digest that is not known here (%d bytes): %w", len(message), mperr.ErrAuth)
}

// mac refuses MD5 where the program has sworn off it: crypto/hmac would panic.
func mac(name string, key, message []byte) ([]byte, error) {
	if name == "md5" && fips140.Enforced() {
		return nil, fmt.Errorf("the peer wants MD5, which GODEBUG=fips140=only forbids: %w", mperr.ErrAuth)
	}
	h := hmac.New(digests[name], key)
	h.Write(message)
	return h.Sum(nil), nil
}

// checkKey refuses a key that everybody knows.
func checkKey(key []byte) error {
	if len(key) == 0 {
		return fmt.Errorf("the authkey is empty: %w", mperr.ErrAuth)
	}
	return nil
}

// underway are the challenges that clients of this process have delivered and
// not yet seen answered.
var underway challenges

type challenges struct {
	mu  sync.Mutex
	set map[string]struct{}
}

func (u *challenges) add(message []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.set == nil {
		u.set = map[string]struct{}{}
	}
	u.set[string(message)] = struct{}{}
}

func (u *challenges) remove(message []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.set, string(message))
}

func (u *challenges) has(message []byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.set[string(message)]
	return ok
}
