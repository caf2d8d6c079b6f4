package drivertest

import (
	"context"
	"fmt"
	"testing"

	"multiproc/internal/complete"
	"multiproc/mp/driver"
)

var pageTests = []test{
	{"whole", testPages},
	{"under change", testPagesUnderChange},
	{"keys", testPagesOfKeys},
	{"keys under change", testPagesOfKeysUnderChange},
}

func fill(t *testing.T, d complete.Dict, prefix string, n int) {
	t.Helper()
	for i := range n {
		must(t, d.Set(within(t, timeLimit), item(t, fmt.Sprint(prefix, i)), item(t, i)))
	}
}

// paging is a way to go over the keys of a dict.
type paging func(ctx context.Context, cursor uint64, limit int) (keys [][]byte, next uint64, err error)

// entriesOf is Page, of which each key must have a value.
func entriesOf(t *testing.T, d complete.Dict) paging {
	return func(ctx context.Context, cursor uint64, limit int) ([][]byte, uint64, error) {
		keys, vs, next, err := d.Page(ctx, cursor, limit)
		if len(keys) != len(vs) {
			t.Fatalf("a page has %d keys and %d values", len(keys), len(vs))
		}
		return keys, next, err
	}
}

// walk counts how often each key is seen, and calls between after each page.
func walk(t *testing.T, page paging, limit int, between func()) map[string]int {
	t.Helper()
	ctx, seen, pages := within(t, timeLimit), map[string]int{}, 0
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		keys, next, err := page(ctx, cursor, limit)
		must(t, err)
		if len(keys) > limit || pages > 10_000 {
			t.Fatalf("page %d has %d keys, with limit %d", pages, len(keys), limit)
		}
		for _, k := range keys {
			seen[text(t, k)]++
		}
		cursor = next
		pages++
		between()
	}
	return seen
}

func testPages(t *testing.T, p driver.Place) {
	d := newDict(t, p)
	testPaging(t, d, entriesOf(t, d))
	keys, vs, next, err := d.Page(within(t, timeLimit), 0, 0)
	if err != nil || len(keys) != 100 || len(vs) != 100 || next != 0 {
		t.Errorf("everything at once: %d keys, %d values, next %d, %v", len(keys), len(vs), next, err)
	}
	for i, v := range vs {
		reads(t, "value", v, nil, fmt.Sprint(i))
	}
}

func testPagesOfKeys(t *testing.T, p driver.Place) {
	d := newDict(t, p)
	testPaging(t, d, d.PageKeys)
}

func testPaging(t *testing.T, d complete.Dict, page paging) {
	t.Helper()
	if seen := walk(t, page, 5, func() {}); len(seen) != 0 {
		t.Errorf("an empty dict has %d keys", len(seen))
	}
	fill(t, d, "k", 100)
	for _, limit := range []int{1, 7, 100, 1000} {
		seen := walk(t, page, limit, func() {})
		if len(seen) != 100 {
			t.Errorf("pages of %d showed %d keys of 100", limit, len(seen))
		}
		for k, n := range seen {
			if n != 1 {
				t.Errorf("pages of %d showed %s %d times", limit, k, n)
			}
		}
	}
	keys, next, err := page(within(t, timeLimit), 0, 0)
	if err != nil || len(keys) != 100 || next != 0 {
		t.Errorf("everything at once: %d keys, next %d, %v", len(keys), next, err)
	}
	for i, k := range keys {
		reads(t, "key", k, nil, fmt.Sprintf("'k%d'", i))
	}
}

func testPagesUnderChange(t *testing.T, p driver.Place) {
	d := newDict(t, p)
	testPagingUnderChange(t, d, entriesOf(t, d))
}

func testPagesOfKeysUnderChange(t *testing.T, p driver.Place) {
	d := newDict(t, p)
	testPagingUnderChange(t, d, d.PageKeys)
}

// Entries that stay throughout are seen exactly once, whatever else happens.
func testPagingUnderChange(t *testing.T, d complete.Dict, page paging) {
	t.Helper()
	ctx := within(t, timeLimit)
	fill(t, d, "go", 60)
	fill(t, d, "stay", 60)
	step := 0
	seen := walk(t, page, 7, func() {
		must(t, d.Set(ctx, item(t, fmt.Sprint("come", step)), item(t, step)))
		must(t, d.Set(ctx, item(t, fmt.Sprint("stay", step)), item(t, "changed")))
		for i := range 4 {
			_, err := d.Delete(ctx, item(t, fmt.Sprint("go", 4*step+i)))
			must(t, err)
		}
		step++
		if step > 500 {
			t.Fatal("the walk does not end")
		}
		if step > 40 {
			_, err := d.Delete(ctx, item(t, fmt.Sprint("come", step-1)))
			must(t, err)
		}
	})
	for i := range 60 {
		if n := seen[fmt.Sprintf("'stay%d'", i)]; n != 1 && i >= step || n > 1 || n == 0 {
			t.Errorf("stay%d was seen %d times", i, n)
		}
	}
	for k, n := range seen {
		if n > 1 {
			t.Errorf("%s was seen %d times", k, n)
		}
	}
}
