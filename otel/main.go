// Command otel shows a trace that goes through worker processes: the spans of the items
// have the span of the call as their parent, as if all were one program.
//
//	go run multiproc/otel
//
// The three parts that make it so are init, which runs in every process and says how the
// ids of a trace travel and where spans go, and a span in the program and one in the task.
// Here spans go to the standard output; use an exporter of OTLP for a collector, and flush
// it in the task: a worker may be killed at any moment.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"multiproc/mp"
	"multiproc/pool"
)

func init() {
	ids := propagation.TraceContext{}
	mp.RegisterCarrier(mp.Carrier{
		Inject: func(ctx context.Context, m map[string]string) { ids.Inject(ctx, propagation.MapCarrier(m)) },
		Extract: func(ctx context.Context, m map[string]string) context.Context {
			return ids.Extract(ctx, propagation.MapCarrier(m))
		},
	})
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(printer{})))
}

// printer writes a line for each span.
type printer struct{}

func (printer) ExportSpans(_ context.Context, spans []sdk.ReadOnlySpan) error {
	for _, s := range spans {
		_, err := fmt.Fprintf(os.Stdout, "%-12s trace %s, span %s, parent %s, in %s\n",
			s.Name(), s.SpanContext().TraceID(), s.SpanContext().SpanID(), s.Parent().SpanID(), mp.Self().Name)
		if err != nil {
			return err
		}
	}
	return nil
}

func (printer) Shutdown(context.Context) error { return nil }

// measure is a task with a span. It returns the id of its trace.
func measure(ctx context.Context, word string) (string, error) {
	ctx, span := otel.Tracer("worker").Start(ctx, "measure "+word)
	defer span.End()
	_ = ctx // for what the task calls in turn: its spans, and processes that it starts
	return span.SpanContext().TraceID().String(), nil
}

var Measure = mp.Func(measure)

func run(ctx context.Context, words []string) (ids []string, own string, err error) {
	p, err := pool.New(pool.Options{Workers: 2})
	if err != nil {
		return nil, "", err
	}
	defer p.Close()
	ctx, span := otel.Tracer("program").Start(ctx, "call")
	defer span.End()
	for id, err := range Measure.Map(ctx, p, slices.Values(words)) {
		if err != nil {
			return nil, "", err
		}
		ids = append(ids, id)
	}
	return ids, span.SpanContext().TraceID().String(), nil
}

func main() {
	mp.Init()
	if _, _, err := run(context.Background(), []string{"a", "bb", "ccc"}); err != nil {
		log.Fatal(err)
	}
}
