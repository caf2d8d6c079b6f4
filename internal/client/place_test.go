package client

import (
	"testing"

	"multiproc/internal/objects"
	"multiproc/mp/driver"
	"multiproc/mp/driver/drivertest"
)

// What package driver promises holds over a Unix socket, and over TCP.
func TestPlace(t *testing.T) {
	for _, kind := range []string{"unix", "tcp"} {
		t.Run(kind, func(t *testing.T) {
			drivertest.Run(t, func(t *testing.T) driver.Place {
				s := serveTest(t, kind)
				drivertest.CountWaits(t, s.waits)
				return dialTest(t, s)
			})
		})
	}
}

// A session that dies gives back what it held.
func TestPlaceDeath(t *testing.T) {
	drivertest.RunDeath(t, func(t *testing.T) (victim, witness driver.Place, kill func()) {
		s := serveTest(t, "unix")
		drivertest.CountWaits(t, s.waits)
		m := dialTest(t, s)
		return m, dialTest(t, s), func() { cut(m) }
	})
}

// dialTest connects to a server of this process.
func dialTest(t testing.TB, s *testServer, change ...func(*Options)) *Manager {
	t.Helper()
	o := Options{Authkey: testKey}
	for _, f := range change {
		f(&o)
	}
	m, err := Dial(t.Context(), s.address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func (s *testServer) waits() (n int, settled bool) { return s.Waiting(), true }

// The server lends for as long as package driver says, if nobody says anything.
func TestDefaultLease(t *testing.T) {
	if objects.DefaultLease != driver.DefaultLease {
		t.Errorf("%v and %v", objects.DefaultLease, driver.DefaultLease)
	}
}
