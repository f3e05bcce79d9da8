package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
	"reconcile-toolkit/clients/go/internal/jsonvalue"
)

// A pass whose context ended gets this long to return, or half of what is left until its deadline. After that its slot is free
// again and it is left behind, because a goroutine cannot be stopped: nothing that a pass does keeps the worker from its work.
const abandonAfter = 500 * time.Millisecond

// What the server takes for "at once", and the longest it keeps a requeue.
const (
	shortestRequeue = time.Millisecond
	longestRequeue  = 30 * 24 * time.Hour
)

// runPass runs one pass and returns its report; nil when the lease was lost and nobody wants one. It never panics.
func (s *session) runPass(l *lease) *reconcilev1.PassReport {
	req := newRequest(l.item, s.options.Logger)
	req.save = func(ctx context.Context, p *progress) error { return s.saveProgress(ctx, l, p) }
	var result Result
	var err error
	if l.pass.Err() == nil {
		result, err = s.attempt(l, req)
	}
	report := &reconcilev1.PassReport{Key: l.item.GetResource().GetKey(), LeaseToken: l.token()}
	if cause := context.Cause(l.pass); cause != nil {
		// What was returned does not count: it may be what the end of the context made of it.
		switch {
		case l.isLost():
			req.Logger.Warn("pass stopped", "error", context.Cause(l.lost))
			return nil
		case errors.Is(cause, errStopping):
			report.Result = reconcilev1.PassResult_PASS_RESULT_RELEASE
			return report
		}
		result, err = Result{}, cause
	}
	fillIn(report, req, result, err)
	if err != nil {
		req.Logger.Warn("pass failed", "error", describe(err), "attempt", req.Attempt)
	}
	return report
}

// attempt calls the reconciler until it returns, panics, or ignores the end of its context for too long.
func (s *session) attempt(l *lease, req Request) (Result, error) {
	type outcome struct {
		result Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		out := outcome{err: errors.New("the pass ended its goroutine without returning")} // runtime.Goexit
		defer func() {
			if value := recover(); value != nil {
				s.panics.log(req.Logger, describe(value))
				out.err = fmt.Errorf("panic: %s", describe(value))
			}
			done <- out
		}()
		out.result, out.err = s.options.Reconciler.Reconcile(l.pass, req)
	}()
	select {
	case out := <-done:
		return out.result, out.err
	case <-l.pass.Done():
	}
	select {
	case out := <-done:
		return out.result, out.err
	case <-time.After(min(abandonAfter, l.margin/2)):
		req.Logger.Error("pass ignores the end of its context: it is left behind, and may still be changing something")
		return Result{}, nil
	}
}

// fillIn turns the end of a pass into its report.
func fillIn(report *reconcilev1.PassReport, req Request, result Result, err error) {
	generation := req.Resource.Generation
	statusJSON, marshalErr := marshalStatus(result.Status)
	var terminal *TerminalError
	switch {
	case err == nil && marshalErr != nil:
		err = marshalErr
	case err != nil && errors.As(err, &terminal) && terminal != nil && !req.IsDeleting:
		req.SetCondition("Ready", False, terminal.Reason, describe(err))
		err, result.RequeueAfter = nil, 0
	}
	req.addTo(report)
	report.StatusJson = statusJSON
	if result.MergeStatus {
		report.StatusMode = reconcilev1.StatusMode_STATUS_MODE_MERGE
	}
	switch {
	case err != nil:
		report.Result = reconcilev1.PassResult_PASS_RESULT_ERROR
		report.Error = describe(err)
	case result.RequeueAfter != 0:
		report.Result = reconcilev1.PassResult_PASS_RESULT_REQUEUE_AFTER
		report.RequeueAfter = durationpb.New(min(max(result.RequeueAfter, shortestRequeue), longestRequeue))
		if req.observed() {
			report.ObservedGeneration = &generation
		}
	default:
		report.Result = reconcilev1.PassResult_PASS_RESULT_SUCCESS
		report.ObservedGeneration = &generation
	}
}

func marshalStatus(status any) (string, error) {
	if status == nil {
		return "", nil
	}
	return jsonvalue.Marshal("status", status)
}
