module multiproc/tests/torture

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	golang.org/x/sys v0.49.0
	multiproc v0.0.0
)

replace multiproc => ../../
