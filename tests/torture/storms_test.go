//go:build linux

package main

import (
	"errors"
	"strings"
	"testing"
)

// One storm in memory.
func TestStorm(t *testing.T) {
	var sum tally
	if err := weathers[0].storm(t.Context(), place{name: "memory"}, 1, &sum); err != nil || sum.calls == 0 || sum.kills == 0 {
		t.Errorf("%v, %+v", err, sum)
	}
}

// What must be found is found.
func TestAudit(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		want string
		hurt func(t *town) error
	}{
		{"", func(*town) error { return nil }},
		{"accounts have", func(t *town) error { return t.Accounts.Set(ctx, 1, 7) }},
		{"is a member without", func(t *town) error { _, err := t.Members.Insert(ctx, 3); return err }},
		{"of the book is 3", func(t *town) error { return t.Book.Append(ctx, 3) }},
		{"under the lock", func(t *town) error { t.Pair.Store(1, 5); return nil }},
		{"a row is", func(t *town) error { t.Rows.Store(9, 1); return nil }},
		{"1 items are lost", func(t *town) error { t.Next.Add(1); t.Put.Store(0, 1); return nil }},
	} {
		town, end, err := found(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var sum tally
		err = errors.Join(c.hurt(&town), town.audit(ctx, &sum))
		if c.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q: %v", c.want, err)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}
