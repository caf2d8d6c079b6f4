module multiproc/cmd/mp

go 1.26.0

require (
	github.com/alecthomas/kong v1.17.0
	multiproc v0.0.0
)

require golang.org/x/sys v0.49.0 // indirect

replace multiproc => ../..
