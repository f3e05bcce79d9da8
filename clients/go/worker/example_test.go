package worker_test

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	"reconcile-toolkit/clients/go/worker"
)

func greet(_ context.Context, req worker.Request) (worker.Result, error) {
	if req.IsDeleting {
		return worker.Result{}, nil // nothing to clean up
	}
	spec, err := worker.Decode[struct{ Name string }](req)
	if err != nil {
		return worker.Result{}, err // Ready = False, InvalidSpec
	}
	req.SetCondition("Ready", worker.True, "Greeted", "the greeting is in the status")
	return worker.Result{Status: map[string]string{"greeting": "Hello, " + spec.Name}}, nil
}

func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := worker.New(worker.Options{
		Server: "http://127.0.0.1:8080", Name: "greeter", Group: "demo", Kind: "greeting",
		Reconciler: worker.ReconcilerFunc(greet),
	}).Run(ctx)
	if err != nil {
		log.Fatal(err)
	}
}
