// Package server is the server of a manager: it admits connections, and serves
// the objects of a store to those who prove to know the key.
//
// serve.go, handshakes.go, listen.go and conn.go are about connections, in either
// language; outbox.go, values.go and limits.go have what both need. The first frame
// tells the language of the client: what begins with go serves Go clients, whose
// sessions outlive their connections, and what begins with py serves CPython's, of
// which a connection is a thread. Neither uses a name of the other; both make the
// same calls of internal/store.
package server
