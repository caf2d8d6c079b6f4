package supervisor_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"multiproc/supervisor"
)

func TestLog(t *testing.T) {
	var b bytes.Buffer
	h := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	log := supervisor.Log(slog.New(h))
	for _, e := range []supervisor.Event{
		{Kind: supervisor.Started, Service: "web", PID: 17},
		{Kind: supervisor.Ended, Service: "web", PID: 17, Err: errSick},
		{Kind: supervisor.Restarting, Service: "web", Delay: time.Second},
		{Kind: supervisor.Started, Service: "web", PID: 18, Restart: 1},
		{Kind: supervisor.StartFailed, Service: "mail", Err: errSick},
		{Kind: supervisor.Stopped, Service: "web", PID: 18, Err: supervisor.ErrStopped},
		{Kind: supervisor.GaveUp, Err: errSick},
	} {
		log(e)
	}
	check(t, "log", strings.TrimSpace(b.String()),
		`level=INFO msg=started service=web pid=17`,
		`level=WARN msg=ended service=web pid=17 error=sick`,
		`level=INFO msg=restarting service=web delay=1s`,
		`level=INFO msg=started service=web pid=18 restart=1`,
		`level=WARN msg="start failed" service=mail error=sick`,
		`level=INFO msg=stopped service=web pid=18 error="stopped by its supervisor"`,
		`level=ERROR msg="gave up" error=sick`)
	if s := supervisor.EventKind(99).String() + " " + supervisor.Restart(99).String(); s != "EventKind(99) Restart(99)" {
		t.Error(s)
	}
}
