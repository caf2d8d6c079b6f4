// Command mp keeps shared objects for programs that share no memory: Go
// programs with multiproc, and stock CPython with its own standard library.
//
//	mp serve --listen 127.0.0.1:7000 --authkey-file key --object jobs=Queue:100
//	mp put 127.0.0.1:7000 jobs '"a job"' --authkey-file key
//	mp ls 127.0.0.1:7000 --authkey-file key
//
// mp --help and mp serve --help teach the rest.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

const description = `Shared objects for processes: queues, dictionaries, lists, sets, values and locks.

  mp serve --listen @orders          on this machine, with an abstract Unix socket
  mp serve --listen /run/orders      the same, as a file that only you may open
  mp serve --listen 10.0.0.1:7000    over TCP; add --tls-cert and --tls-key between machines

Clients are Go programs (manager.Dial) and Python programs:

  from multiprocessing.managers import SyncManager
  m = SyncManager(address="\0orders", authkey=open("key", "rb").read().rstrip())
  m.connect()
  d = m.dict()`

// commands are the subcommands and their flags.
type commands struct {
	Serve   serve   `cmd:"" help:"Keep shared objects until SIGTERM, or until a client asks for the end."`
	Ls      ls      `cmd:"" help:"List the objects of a manager that have names."`
	Get     get     `cmd:"" help:"Print what is in an object, as JSON. Of a queue: take an item."`
	Put     put     `cmd:"" help:"Put JSON into an object."`
	Watch   watch   `cmd:"" help:"Print what is in an object, as JSON, whenever that has changed. It takes nothing."`
	Version version `cmd:"" help:"Print the version."`

	Which kong.VersionFlag `name:"version" help:"Print the version."`
}

type version struct{}

// Run prints the version.
func (version) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, build())
	return err
}

// build names the version of the module and the Go release that built it.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "mp, built without a version"
	}
	return "mp " + info.Main.Version + " " + info.GoVersion
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with everything that a test wants to hold in its hands. It
// returns the exit status: 0 done, 1 failed, 2 misused.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("mp"), kong.Description(description), kong.UsageOnError(), kong.Vars{"version": build()},
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(stdout, (*io.Writer)(nil)), kong.Bind(stderr),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true}),
	)
	if err != nil {
		panic(err) // the declarations above are wrong
	}
	what, err := parser.Parse(args)
	if exit >= 0 {
		return exit // help was asked for, and given
	}
	if err != nil {
		parser.Errorf("%s", err)
		parser.Errorf("mp --help says what there is")
		return 2
	}
	if err := what.Run(); err != nil {
		parser.Errorf("%s", err)
		return 1
	}
	return 0
}
