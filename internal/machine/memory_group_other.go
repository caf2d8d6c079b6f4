//go:build !linux

package machine

import "errors"

// MemoryGroup is not to be had here.
type MemoryGroup struct{}

// NewMemoryGroup is refused here.
func NewMemoryGroup(string, string) (*MemoryGroup, error) { return nil, errors.ErrUnsupported }

// Add is never called.
func (*MemoryGroup) Add(int) error { return errors.ErrUnsupported }

// Limit is never called.
func (*MemoryGroup) Limit(int64) error { return errors.ErrUnsupported }

// Kills is never called.
func (*MemoryGroup) Kills() int64 { return 0 }

// Peak is never called.
func (*MemoryGroup) Peak() int64 { return 0 }

// Remove is never called.
func (*MemoryGroup) Remove() error { return nil }

// SweepMemoryGroups does nothing here.
func SweepMemoryGroups(string, string) {}
