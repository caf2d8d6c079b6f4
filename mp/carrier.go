package mp

import "multiproc/mp/executor"

// Carrier carries values of a context to the process in which a task runs, whose
// context otherwise has none of them: the ids of a trace, for example. Inject puts
// what it finds in ctx into the map, and Extract returns ctx with what it finds in
// the map. They may be called by any number of goroutines; either may be nil.
type Carrier = executor.Carrier

// RegisterCarrier has a Carrier carry values with each Start, and with the items of
// each Map, Each and Submit. Call it before Init, in package initialization for
// example, alike in every process. With OpenTelemetry, whose propagators have these
// two functions:
//
//	p := propagation.TraceContext{}
//	mp.RegisterCarrier(mp.Carrier{
//		Inject: func(ctx context.Context, m map[string]string) { p.Inject(ctx, propagation.MapCarrier(m)) },
//		Extract: func(ctx context.Context, m map[string]string) context.Context {
//			return p.Extract(ctx, propagation.MapCarrier(m))
//		},
//	})
func RegisterCarrier(c Carrier) { executor.RegisterCarrier(c) }
