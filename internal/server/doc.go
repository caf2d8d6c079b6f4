// Package server is the server of a manager: it admits connections, and serves
// the objects of a store to those who prove to know the key.
//
// serve.go, handshakes.go, listen.go and conn.go are about connections, whoever makes
// them. The first frame tells the language of the client: what begins with go
// serves Go clients, whose sessions outlive their connections, and what begins
// with py serves CPython's, of which a thread is a connection. Both make the same
// calls of internal/store.
package server
