//go:build linux

package main

import (
	"errors"
	"fmt"
	"time"

	"multiproc/bench/internal/stats"
)

// window is how many messages of a bulk run may be unread: as many as fit into the queues of the other contestants.
const window = 64

// link is a connection to the second process, whatever carries it.
type link interface {
	Trip(v uint64) (uint64, error) // there and back; the answer is v+1
	Bulk(n, size int) error        // n blocks one way, each stamped here and checked there
	Close()
}

var errNoBulk = errors.New("this transport takes trips only")

// open starts the second process of a transport. Size is that of the blocks to come, 8 for trips.
type open func(size int) (link, error)

var transports = map[string]open{
	"socketpair": openSocketpair(false),
	"blocking":   openSocketpair(true),
	"netrpc":     openNetRPC,
	"shmipc":     openShmipc,
	"goplugin":   openPlugin,

	"goplugin-grpc": openPluginGRPC,
}

// servers are the other halves, by the name under which serveIn starts them.
var servers = map[string]func(size int) error{
	"socketpair": serveSocketpair(false),
	"blocking":   serveSocketpair(true),
	"netrpc":     serveNetRPC,
	"shmipc":     serveShmipc,
	"goplugin":   servePlugin,

	"goplugin-grpc": servePluginGRPC,
}

// measure returns the seconds that one of n operations takes, after a tenth of them to warm up.
func measure(l link, work string, n, number int) (float64, error) {
	switch work {
	case "trip":
		return trips(l, n, time.Duration(number)*time.Microsecond)
	case "bulk":
		// Whole windows, so that the acknowledgements come out even.
		n, warm := (n+window-1)/window*window, (n/10+window)/window*window
		if err := l.Bulk(warm, number); err != nil {
			return 0, err
		}
		start := time.Now()
		err := l.Bulk(n, number)
		return time.Since(start).Seconds() / float64(n), err
	default:
		return 0, fmt.Errorf("no such work: %q", work)
	}
}

// trips returns the mean of n round trips in a row, or the median of single ones with a pause before each.
func trips(l link, n int, pause time.Duration) (float64, error) {
	if err := trip(l, n/10+1); err != nil {
		return 0, err
	}
	if pause == 0 {
		start := time.Now()
		err := trip(l, n)
		return time.Since(start).Seconds() / float64(n), err
	}
	took := make([]float64, n)
	for i := range took {
		time.Sleep(pause)
		start := time.Now()
		if err := trip(l, 1); err != nil {
			return 0, err
		}
		took[i] = time.Since(start).Seconds()
	}
	return stats.Median(took), nil
}

func trip(l link, n int) error {
	for i := range uint64(n) {
		v, err := l.Trip(i)
		if err != nil {
			return err
		}
		if v != i+1 {
			return fmt.Errorf("round trip of %d came back as %d", i, v)
		}
	}
	return nil
}
