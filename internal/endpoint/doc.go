// Package endpoint is what both ends of a connection to a manager have in common:
// the forms of addresses, the key, sockets on which the end of the other side is
// noticed, and the numbered frames that are kept until they have come.
package endpoint
