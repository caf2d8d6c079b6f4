// Package progress draws bars for calls on a pool:
//
//	bar := progress.New(os.Stderr, progress.Options{Name: "counting", Total: len(files)})
//	defer bar.Close()
//	for words, err := range CountWords.Map(ctx, p.With(pool.Call{Observe: bar.Observe}), slices.Values(files)) { … }
//
// On a terminal that is a line which changes, and what Close prints:
//
//	counting  24% [========>-----------------------------]   340/s  11s left  2 failed, 1 retried
//	counting: 5000 of 5000 in 14s, 357/s, 2 failed, 1 retried
//
// Anywhere else, in a file or the log of a build, and where TERM is "dumb", it is
// a line of text every few seconds, and that last one.
//
// A Group has several bars under each other, for calls that run at the same time.
//
// What a program prints to the same terminal meanwhile would go through the bar;
// printed to what Above returns, it stands above it:
//
//	log.SetOutput(bar.Above(os.Stderr))
//	out := bar.Above(os.Stdout)
//
// The same holds for what workers print:
//
//	bars := progress.NewGroup(os.Stderr)
//	defer bars.Close()
//	p, err := pool.New(pool.Options{Start: mp.StartOptions{Stderr: bars.Above(os.Stderr)}})
//
// It is a module of its own, because it needs others: github.com/vbauerster/mpb
// draws on the terminal.
package progress
