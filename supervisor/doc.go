// Package supervisor keeps long-running services alive: tasks in processes of
// their own, functions of this process, and other supervisors.
//
//	var Serve = mp.Proc(serve)
//
//	s := supervisor.New(supervisor.Options{Backoff: supervisor.Backoff{First: 100 * time.Millisecond}},
//		supervisor.Task("web", Serve, config),
//		supervisor.Task("mail", Deliver, queue))
//	err := s.Run(ctx)
//
// Run starts the services in their order, starts again what fails, and stops all
// in the opposite order when ctx ends. What is started again beside a service
// that fails is the Strategy; whether a service is started again at all is its
// Restart. Services that fail too often are not kept alive for ever: the
// supervisor stops all and returns a *GaveUpError, and its own supervisor, if it
// has one, decides what to do.
//
// Words and behaviour are those of Erlang/OTP's supervisors (OTP Design
// Principles, "Supervisor Behaviour"; the module supervisor in stdlib), where
// nothing else is said. Backoff and Ready are additions.
//
// A service process that is killed loses what it was doing and nothing else:
// what it shares with others goes on, as the documentation of package mp says.
// If this process dies, the services that are tasks end with it, as all children
// do.
package supervisor
