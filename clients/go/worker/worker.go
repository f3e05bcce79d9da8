// Package worker runs a reconciler against a state-manager.
//
// The server keeps the queue: deduplication, back-off, priorities, deadlines and fencing are its work. A [Worker] registers,
// leases what is due, calls the [Reconciler] for it with bounded concurrency, renews what it holds, reports in batches, and
// drains when the context of [Worker.Run] ends. SPEC.md beside this file has its states and promises.
package worker

import (
	"context"
	"fmt"
	"time"

	"reconcile-toolkit/clients/go/gen/reconcile/v1/reconcilev1connect"
)

const (
	registerTimeout = 10 * time.Second
	// A session that ends sooner counts as a failure, so that two workers under one instance id do not fence each other as
	// fast as the network allows.
	shortSession = 10 * time.Second
)

// Worker runs one reconciler. Use [New].
type Worker struct {
	options Options
	api     reconcilev1connect.ReconcilerServiceClient
}

// New returns a worker; nothing happens before [Worker.Run].
func New(options Options) *Worker {
	options = options.withDefaults()
	return &Worker{
		options: options,
		api:     reconcilev1connect.NewReconcilerServiceClient(options.HTTPClient, options.Server),
	}
}

// Run works until ctx ends, whatever the server does meanwhile. Then: no new work, running passes get Options.Grace, the rest is
// released, and it returns nil. It returns an error when the options are wrong or the server refuses the registration for good.
// Call it once at a time.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.options.check(); err != nil {
		return err
	}
	for failures := 0; ctx.Err() == nil; {
		session, err := w.register(ctx)
		if err != nil || session == nil {
			return err
		}
		startedAt := time.Now()
		session.run(ctx)
		if time.Since(startedAt) >= shortSession {
			failures = 0
		}
		failures++
		pause(ctx, retryDelay(failures))
	}
	return nil
}

// register waits for the server, and for a kind that is taken; nil without an error when ctx ended first.
func (w *Worker) register(ctx context.Context) (*session, error) {
	logger := w.options.Logger
	for failures := 1; ctx.Err() == nil; failures++ {
		sentAt := time.Now()
		call, cancel := context.WithTimeout(ctx, registerTimeout)
		answer, err := w.api.Register(call, w.options.registration())
		cancel()
		if err == nil {
			logger.Info("registered", "session", answer.GetSessionId(), "kind", w.options.Group+"/"+w.options.Kind)
			return newSession(w.api, w.options, answer, sentAt), nil
		}
		if ctx.Err() != nil {
			break
		}
		if isRefused(err) {
			return nil, fmt.Errorf("the server refused the registration of %q: %w", w.options.Name, err)
		}
		warnOf(logger, "not registered yet", err, failures)
		pause(ctx, retryDelay(failures))
	}
	return nil, nil
}
