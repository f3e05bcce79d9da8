module reconcile-toolkit/examples/go-tcp-check

go 1.26.0

require reconcile-toolkit/clients/go v0.0.0

require (
	connectrpc.com/connect v1.21.1 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace reconcile-toolkit/clients/go => ../../clients/go
