package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"multiproc/manager/client"
)

// dial are the flags of commands that connect.
type dial struct {
	Addr        string        `arg:"" help:"The address of the manager, as mp serve says it."`
	AuthkeyFile string        `placeholder:"FILE" help:"The secret. Default: $MP_AUTHKEY."`
	Timeout     time.Duration `placeholder:"TIME" help:"Give up after this time (default: wait)."`
}

// with connects for the length of f.
func (d *dial) with(ctx context.Context, f func(ctx context.Context, m *client.Manager) error) error {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	m, err := client.Dial(ctx, d.Addr, client.Options{AuthkeyFile: d.AuthkeyFile, Name: "mp"})
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, m), m.Close())
}

type ls struct{ dial }

// Run lists the named objects.
func (c *ls) Run(ctx context.Context, out io.Writer) error {
	return c.with(ctx, func(ctx context.Context, m *client.Manager) error {
		all, err := m.List(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "NAME\tKIND\tSIZE\tWAITERS")
		for _, o := range all {
			size := "-"
			if o.Size >= 0 {
				size = strconv.Itoa(o.Size)
			}
			if o.Cap > 0 {
				size += " of " + strconv.Itoa(o.Cap)
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", o.Name, o.Type, size, o.Waiting)
		}
		return w.Flush()
	})
}

// target is the object that a command is about.
type target struct {
	dial
	Name string `arg:"" help:"The name of the object; mp ls lists them."`
}

// open gives f the object. It makes none.
func (t *target) open(ctx context.Context, f func(ctx context.Context, o *client.Object) error) error {
	return t.with(ctx, func(ctx context.Context, m *client.Manager) error {
		names, err := m.Names(ctx)
		if err != nil {
			return err
		}
		for _, n := range names {
			if n.Name == t.Name {
				o, err := client.New(ctx, m, t.Name) // of a name, without arguments: the object that is there
				if err != nil {
					return err
				}
				return errors.Join(f(ctx, o), o.Close())
			}
		}
		return fmt.Errorf("%s has no object %q; mp ls lists those it has", m, t.Name)
	})
}

// kinds says by which methods, for each type, a value is read, one element of
// it, and how something is put. Empty: that cannot be.
var kinds = map[string]struct{ read, element, put, set string }{
	"dict":          {"copy", "__getitem__", "", "__setitem__"},
	"list":          {"copy", "__getitem__", "append", "__setitem__"},
	"set":           {"copy", "", "add", ""},
	"Value":         {"get", "", "set", ""},
	"Namespace":     {"", "__getattribute__", "", "__setattr__"},
	"Queue":         {"qsize", "", "put", ""},
	"JoinableQueue": {"qsize", "", "put", ""},
	"Event":         {"is_set", "", "", ""},
}

func isQueue(typ string) bool { return typ == "Queue" || typ == "JoinableQueue" }

// read returns what is in an object, or one element of it.
func read(ctx context.Context, o *client.Object, key *string) (any, error) {
	k := kinds[o.Type()]
	switch {
	case key != nil && k.element != "":
		at, err := keyOf(o, *key)
		if err != nil {
			return nil, err
		}
		return client.Call[any](ctx, o, k.element, at)
	case key == nil && o.Type() == "dict":
		return client.Call[map[any]any](ctx, o, k.read)
	case key == nil && o.Type() == "set":
		members, err := client.Call[map[any]struct{}](ctx, o, k.read)
		list := make([]any, 0, len(members))
		for v := range members {
			list = append(list, v)
		}
		return list, err
	case key == nil && k.read != "":
		return client.Call[any](ctx, o, k.read)
	case k.element != "":
		return nil, fmt.Errorf("a %s is read by the name of a part: give KEY", o.Type())
	}
	return nil, fmt.Errorf("%s: there is nothing to read so in a %s", o, o.Type())
}

// keyOf is a key as it stands on the command line: JSON, or else a text.
func keyOf(o *client.Object, key string) (any, error) {
	v, err := parse([]byte(key))
	switch v.(type) {
	case int, float64, bool, string:
		if o.Type() != "Namespace" {
			return v, nil
		}
	}
	if o.Type() == "list" {
		return nil, fmt.Errorf("an index is a number, not %q: %w", key, errors.Join(err))
	}
	return key, nil
}

type get struct {
	target
	Key *string `arg:"" optional:"" help:"A key of a dict, an index of a list, a name in a Namespace."`
}

// Run prints a value.
func (c *get) Run(ctx context.Context, out io.Writer) error {
	return c.open(ctx, func(ctx context.Context, o *client.Object) error {
		var v any
		var err error
		if isQueue(o.Type()) {
			v, err = client.Call[any](ctx, o, "get")
		} else {
			v, err = read(ctx, o, c.Key)
		}
		if err != nil {
			return err
		}
		b, err := line(v)
		if err != nil {
			return err
		}
		_, err = out.Write(b)
		return err
	})
}

type put struct {
	target
	What []string `arg:"" name:"[key] json" help:"The value as JSON. Before it, for a dict, a list or a Namespace, the key."`
}

// Run puts a value.
func (c *put) Run(ctx context.Context) error {
	if len(c.What) > 2 {
		return errors.New("put takes a value, or a key and a value")
	}
	v, err := parse([]byte(c.What[len(c.What)-1]))
	if err != nil {
		return err
	}
	return c.open(ctx, func(ctx context.Context, o *client.Object) error {
		k := kinds[o.Type()]
		switch {
		case len(c.What) == 1 && k.put != "":
			_, err := client.Call[any](ctx, o, k.put, v)
			return err
		case len(c.What) == 2 && k.set != "":
			at, err := keyOf(o, c.What[0])
			if err == nil {
				_, err = client.Call[any](ctx, o, k.set, at, v)
			}
			return err
		case k.set != "":
			return fmt.Errorf("into a %s goes a key and a value", o.Type())
		case k.put != "":
			return fmt.Errorf("into a %s goes a value, without a key", o.Type())
		}
		return fmt.Errorf("%s: nothing can be put into a %s", o, o.Type())
	})
}

type watch struct {
	target
	Key   *string       `arg:"" optional:"" help:"A key of a dict, an index of a list, a name in a Namespace."`
	Every time.Duration `default:"200ms" help:"How often to look."`
}

// Run prints what is in an object, of a queue how much, each time it has
// changed, until the context ends.
func (c *watch) Run(ctx context.Context, out io.Writer) error {
	if c.Every <= 0 {
		return errors.New("--every is a time, such as 1s")
	}
	return c.open(ctx, func(ctx context.Context, o *client.Object) error {
		look := time.NewTicker(c.Every)
		defer look.Stop()
		var last []byte
		for {
			v, err := read(ctx, o, c.Key)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			now, err := line(v)
			if err != nil {
				return err
			}
			if !bytes.Equal(now, last) {
				if _, err := out.Write(now); err != nil {
					return err
				}
				last = now
			}
			select {
			case <-ctx.Done():
				return nil
			case <-look.C:
			}
		}
	})
}
