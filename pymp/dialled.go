package pymp

import (
	"fmt"
	"slices"
	"sync"

	"multiproc/internal/mperr"
)

// A proxy that arrives may be of an object of any manager. CPython tries the
// process's own authkey on whatever address the proxy names, which fails if the
// managers have keys of their own, and lets any server make its clients
// authenticate anywhere. Here a key belongs to an address: the proxy is of the
// manager that it came from, of another one that this process has dialled, or
// of one whose key was given by WithKey; otherwise it is refused.

// dialled are the managers that this process has open.
var dialled managerList

type managerList struct {
	mu   sync.Mutex
	list []*Manager
}

func (l *managerList) add(m *Manager) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, m)
}

func (l *managerList) remove(m *Manager) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = slices.DeleteFunc(l.list, func(other *Manager) bool { return other == m })
}

// find prefers the manager that was dialled last.
func (l *managerList) find(name address) *Manager {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range slices.Backward(l.list) {
		if m.is(name) {
			return m
		}
	}
	return nil
}

// managerOf returns the manager of an address that stands in a message.
func (s *message) managerOf(name address) (*Manager, error) {
	if s.m != nil && s.m.is(name) {
		return s.m, nil
	}
	if m := dialled.find(name); m != nil {
		return m, nil
	}
	if s.m != nil {
		if m, err := s.m.other(name); m != nil || err != nil {
			return m, err
		}
	}
	return nil, fmt.Errorf("it belongs to the manager at %s, whose authkey is not known here: dial that manager too, or give its key by pymp.WithKey; if it is this manager under another name, say so by pymp.KnownAs: %w",
		name, mperr.ErrAuth)
}

// other is the manager at an address for which there is a key. It connects when
// it is first used.
func (m *Manager) other(name address) (*Manager, error) {
	key, ok := m.o.keys[name]
	if !ok {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, m.closedError()
	}
	if other := m.others[name]; other != nil {
		return other, nil
	}
	o := m.o
	o.aliases = nil
	other, err := newManager(name, key, o)
	if err == nil {
		m.others[name] = other
	}
	return other, err
}
