// The parent and two children write into one dictionary, and the children print it.
//
//	dict_shared = manager.dict()
//	dict_shared[0] = 'b'
//	d[1] = 'a'      # in both children
//	print(d)
package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"

	"multiproc/manager"
	"multiproc/mp"
)

func write(ctx context.Context, d *mp.Dict[any, any]) error {
	if err := d.Set(ctx, 1, "a"); err != nil {
		return err
	}
	// A key of another type is another key, and any key may hold any value.
	if err := d.Set(ctx, "one", []any{1, nil, true}); err != nil {
		return err
	}
	all, err := d.Copy(ctx)
	if err != nil {
		return err
	}
	fmt.Println(line(all))
	return nil
}

var Write = mp.Proc(write)

// line prints a dictionary in the order of its keys' text, for they are of several types.
func line(d map[any]any) string {
	var entries []string
	for k, v := range d {
		entries = append(entries, fmt.Sprint(k, ": ", v))
	}
	slices.Sort(entries)
	return "{" + strings.Join(entries, ", ") + "}"
}

func main() {
	mp.Init()
	ctx := context.Background()

	m, err := manager.Start(ctx, manager.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	d, err := mp.NewDict[any, any](mp.In(m))
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	if err := d.Set(ctx, 0, "b"); err != nil {
		log.Fatal(err)
	}

	var children []mp.Child
	for range 2 {
		p, err := Write.Start(ctx, d)
		if err != nil {
			log.Fatal(err)
		}
		children = append(children, p)
	}
	if err := mp.WaitAll(ctx, children...); err != nil {
		log.Fatal(err)
	}
}
