// Command conformance-worker is the program that the conformance suite runs for this library: it does what each resource's
// spec says. RECONCILE_SERVER and RECONCILE_INSTANCE say where and who; RECONCILE_PASS_DEADLINE_MS and
// RECONCILE_LEASE_DURATION_MS set what they name. SIGTERM drains it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"reconcile-toolkit/clients/go/worker"
)

func main() {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, logger); err != nil {
		logger.Error("the worker failed", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, logger *slog.Logger) error {
	deadline, err := milliseconds("RECONCILE_PASS_DEADLINE_MS")
	if err != nil {
		return err
	}
	leaseDuration, err := milliseconds("RECONCILE_LEASE_DURATION_MS")
	if err != nil {
		return err
	}
	return worker.New(worker.Options{
		Server:     os.Getenv("RECONCILE_SERVER"),
		InstanceID: os.Getenv("RECONCILE_INSTANCE"),
		Name:       "conformance", Group: "conformance", Kind: "task",
		Concurrency: 4, PassDeadline: deadline, LeaseDuration: leaseDuration,
		Logger:     logger,
		Reconciler: worker.ReconcilerFunc(reconcile),
	}).Run(ctx)
}

func milliseconds(name string) (time.Duration, error) {
	text := os.Getenv(name)
	if text == "" {
		return 0, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value <= 0 {
		return 0, fmt.Errorf("%s must be a whole number of milliseconds above 0, not %q", name, text)
	}
	return time.Duration(value) * time.Millisecond, nil
}

type task struct {
	Action  string `json:"action"`
	Error   string `json:"error"`
	Value   string `json:"value"`
	AfterMs int64  `json:"afterMs"`
	Ms      int64  `json:"ms"`
}

type status struct {
	Generation int64  `json:"generation"`
	Attempt    int    `json:"attempt"`
	Checkpoint string `json:"checkpoint"`
}

func reconcile(ctx context.Context, req worker.Request) (worker.Result, error) {
	task, err := worker.Decode[task](req)
	if err != nil {
		return worker.Result{}, err
	}
	switch task.Action {
	case "done":
		return done(req), nil
	case "fail":
		return worker.Result{}, errors.New(task.Error)
	case "requeue":
		result := done(req)
		result.RequeueAfter = time.Duration(task.AfterMs) * time.Millisecond
		return result, nil
	case "sleep":
		sleep(ctx, task.Ms)
		return done(req), nil
	case "panic":
		panic(struct{ oops func() }{}) // unusual: neither an error nor a text
	case "checkpoint":
		if err := req.SaveProgress(ctx, "working", []byte(task.Value)); err != nil {
			return worker.Result{}, err
		}
		sleep(ctx, task.Ms)
		return done(req), nil
	}
	return worker.Result{}, fmt.Errorf("unknown action %q", task.Action)
}

func done(req worker.Request) worker.Result {
	req.SetCondition("Ready", worker.True, "Done", "done")
	return worker.Result{Status: status{
		Generation: req.Resource.Generation, Attempt: req.Attempt, Checkpoint: string(req.Checkpoint),
	}}
}

func sleep(ctx context.Context, ms int64) {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
	case <-ctx.Done():
	}
}
