package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

const (
	success = reconcilev1.PassResult_PASS_RESULT_SUCCESS
	failure = reconcilev1.PassResult_PASS_RESULT_ERROR
	release = reconcilev1.PassResult_PASS_RESULT_RELEASE
	requeue = reconcilev1.PassResult_PASS_RESULT_REQUEUE_AFTER
)

// reportOf runs one pass on a worker of its own and returns what was reported.
func reportOf(t *testing.T, specJSON string, reconcile ReconcilerFunc, edits ...func(*reconcilev1.LeasedItem),
) *reconcilev1.PassReport {
	t.Helper()
	f := newFakeServer(t)
	f.offer("a", specJSON, edits...)
	f.start(t, reconcile)
	return f.awaitReports(t, 1)[0]
}

func TestReportsStatusConditionsAndWhatWasSet(t *testing.T) {
	report := reportOf(t, `{"name":"you"}`, func(_ context.Context, req Request) (Result, error) {
		spec, err := Decode[struct{ Name string }](req)
		req.SetCondition("Ready", False, "Working", "not yet")
		req.SetCondition("Ready", True, "Done", "done")
		req.AddFinalizer("hold")
		req.RemoveFinalizer("old")
		req.SetLabel("a", "b")
		req.RemoveLabel("c")
		req.SetAnnotation("d", "e")
		req.RemoveAnnotation("f")
		return Result{Status: map[string]string{"greeting": "Hello, " + spec.Name}}, err
	})
	want := &reconcilev1.PassReport{
		Key:        &reconcilev1.ResourceKey{ResourceGroup: "demo", Kind: "thing", Namespace: "default", Name: "a"},
		LeaseToken: "a", Result: success, ObservedGeneration: proto.Int64(7),
		StatusJson: `{"greeting":"Hello, you"}`,
		Conditions: []*reconcilev1.Condition{{
			Type: "Ready", Status: reconcilev1.ConditionStatus_CONDITION_STATUS_TRUE, Reason: "Done", Message: "done",
		}},
		AddFinalizers: []string{"hold"}, RemoveFinalizers: []string{"old"},
		Labels:      map[string]*reconcilev1.OptionalString{"a": {Value: proto.String("b")}, "c": {}},
		Annotations: map[string]*reconcilev1.OptionalString{"d": {Value: proto.String("e")}, "f": {}},
	}
	if !proto.Equal(report, want) {
		t.Errorf("reported %v, want %v", report, want)
	}
}

func TestAsksToComeBack(t *testing.T) {
	for _, isObserved := range []bool{false, true} {
		report := reportOf(t, `{}`, func(_ context.Context, req Request) (Result, error) {
			if isObserved {
				req.MarkObserved()
			}
			return Result{RequeueAfter: 1500 * time.Millisecond}, nil
		})
		if report.GetResult() != requeue || report.GetRequeueAfter().AsDuration() != 1500*time.Millisecond {
			t.Errorf("reported %v", report)
		}
		if (report.ObservedGeneration != nil) != isObserved {
			t.Errorf("observed generation is %v after MarkObserved: %v", report.ObservedGeneration, isObserved)
		}
	}
}

func TestMergesIntoTheStoredStatus(t *testing.T) {
	report := reportOf(t, `{}`, func(context.Context, Request) (Result, error) {
		return Result{Status: json.RawMessage(`{"a":null}`), MergeStatus: true}, nil
	})
	if report.GetStatusJson() != `{"a":null}` || report.GetStatusMode() != reconcilev1.StatusMode_STATUS_MODE_MERGE {
		t.Errorf("reported %v", report)
	}
}

func TestReportsFailures(t *testing.T) {
	cases := map[string]struct {
		reconcile ReconcilerFunc
		want      string
	}{
		"an error": {func(context.Context, Request) (Result, error) { return Result{}, errors.New("boom") }, "boom"},
		"text that is not UTF-8": {
			func(context.Context, Request) (Result, error) { return Result{}, errors.New("bad \xff\x00") }, "bad \uFFFD\uFFFD",
		},
		"a status that is not JSON": {
			func(context.Context, Request) (Result, error) { return Result{Status: func() {}}, nil }, "status must be a JSON value",
		},
		"a panic": {func(context.Context, Request) (Result, error) { panic("oops") }, "panic: oops"},
		"a panic with a struct": {
			func(context.Context, Request) (Result, error) { panic(struct{ Code int }{7}) }, "panic: {Code:7}",
		},
		"a panic with nil": {
			func(context.Context, Request) (Result, error) { panic(nil) }, "panic: panic called with nil argument",
		},
		"an error that is a nil pointer": {
			func(context.Context, Request) (Result, error) { var none *TerminalError; return Result{}, none },
			"a nil *worker.TerminalError",
		},
		"a terminal error without words": {
			func(context.Context, Request) (Result, error) { panic(&TerminalError{Reason: "NoDisk"}) }, "panic: NoDisk",
		},
		"a panic with an unusual value": {
			func(context.Context, Request) (Result, error) { panic(evil{}) }, "panic: %!v(PANIC",
		},
		"the end of its goroutine": {
			func(context.Context, Request) (Result, error) { runtime.Goexit(); return Result{}, nil }, "without returning",
		},
		"a label that is not UTF-8": {
			func(_ context.Context, req Request) (Result, error) { req.SetLabel("a", "\xff"); return Result{}, nil },
			"report refused",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			report := reportOf(t, `{}`, c.reconcile)
			if report.GetResult() != failure || !strings.Contains(report.GetError(), c.want) {
				t.Errorf("reported %v, want an error with %q", report, c.want)
			}
		})
	}
}

type evil struct{}

func (evil) Error() string { panic("again") }

func TestAStatusThatIsNoJSONIsAnErrorWithItsPath(t *testing.T) {
	for _, c := range []struct {
		status  any
		message string
	}{
		{map[string]any{"load": []float64{1, math.NaN()}}, "status.load[1] must be a finite number (got NaN)"},
		{struct{ Note string }{"caf\xe9"}, `status.Note must be UTF-8 text (got "caf\xe9")`},
		{map[string]any{"f": func() {}}, "status.f must be a JSON value"},
	} {
		report := reportOf(t, `{}`, func(_ context.Context, req Request) (Result, error) {
			req.SetCondition("Seen", True, "Looked", "")
			return Result{Status: c.status}, nil
		})
		if report.GetResult() != failure || !strings.HasPrefix(report.GetError(), c.message) ||
			report.GetStatusJson() != "" || len(report.GetConditions()) != 1 {
			t.Errorf("got %v; want an error that begins with %q, the conditions and no status", report, c.message)
		}
	}
}

func TestOtherPassesGoOnAfterAPanic(t *testing.T) {
	f := newFakeServer(t)
	held := make(gate)
	f.offer("calm", `{}`)
	f.offer("wild", `{}`)
	f.start(t, func(ctx context.Context, req Request) (Result, error) {
		if req.Resource.Key.Name == "wild" {
			panic("oops")
		}
		return held.reconcile(ctx, req)
	})
	f.awaitReports(t, 1)
	close(held)
	if report := f.awaitReports(t, 2)[1]; report.GetResult() != success {
		t.Errorf("the calm pass reported %v", report)
	}
}

func TestGivesTheReconcilerWhatTheLeaseSays(t *testing.T) {
	var got Request
	reportOf(t, `{}`, func(_ context.Context, req Request) (Result, error) { got = req; return Result{}, nil },
		func(item *reconcilev1.LeasedItem) {
			item.Attempt, item.Reason, item.Message = 3, 99, "why"
			item.Checkpoint, item.Progress, item.IsSolo = []byte("abc"), "half", true
		})
	if got.Attempt != 3 || got.Reason != "UNSPECIFIED" || got.Message != "why" || string(got.Checkpoint) != "abc" ||
		got.Progress != "half" || !got.IsSolo || got.IsDeleting {
		t.Errorf("the request was %+v", got)
	}
}

func TestATimeThatHasPassedMeansAtOnce(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		-time.Hour: time.Millisecond, time.Nanosecond: time.Millisecond, 9_000 * time.Hour: 30 * 24 * time.Hour,
	} {
		report := reportOf(t, `{}`, func(context.Context, Request) (Result, error) { return Result{RequeueAfter: asked}, nil })
		if report.GetResult() != requeue || report.GetRequeueAfter().AsDuration() != want {
			t.Errorf("RequeueAfter %v was reported as %v", asked, report)
		}
	}
}

func TestLogsTheStackOfAPanicOncePerPlace(t *testing.T) {
	var log strings.Builder
	logger, p := slog.New(slog.NewTextHandler(&log, nil)), panics{}
	thrown := func(value any) {
		defer func() { p.log(logger, describe(recover())) }()
		panic(value)
	}
	for range 3 {
		thrown("no disk")
	}
	thrown("elsewhere")
	if lines, stacks := strings.Count(log.String(), "pass panicked"), strings.Count(log.String(), "stack="); lines != 4 || stacks != 2 {
		t.Errorf("logged %d lines and %d stacks:\n%s", lines, stacks, log.String())
	}
}

func TestATerminalErrorIsACondition(t *testing.T) {
	report := reportOf(t, `{"port":"many"}`, func(_ context.Context, req Request) (Result, error) {
		_, err := Decode[struct{ Port int }](req)
		return Result{}, err
	})
	condition := report.GetConditions()[0]
	if report.GetResult() != success || condition.GetReason() != "InvalidSpec" || condition.GetType() != "Ready" {
		t.Errorf("reported %v", report)
	}
}

func TestAPassEndsAtItsDeadline(t *testing.T) {
	ignored := make(chan struct{})
	defer close(ignored)
	cases := map[string]ReconcilerFunc{
		"when it listens":         untilDone,
		"when it does not listen": func(context.Context, Request) (Result, error) { <-ignored; return Result{}, nil },
	}
	for name, reconcile := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.offer("slow", `{}`)
			deadline := 400 * time.Millisecond
			startedAt := time.Now()
			f.start(t, reconcile, func(o *Options) { o.PassDeadline, o.Concurrency = deadline, 1 })
			report := f.awaitReports(t, 1)[0]
			if report.GetResult() != failure || !strings.Contains(report.GetError(), "deadline of 400ms") {
				t.Errorf("reported %v", report)
			}
			if took := time.Since(startedAt); took < deadline*8/10 {
				t.Errorf("it ended after %v already", took)
			}
			f.await(t, "the slot to be free again", func() bool { return len(f.leaseCalls) >= 2 })
		})
	}
}

func TestAStaleReportIsDropped(t *testing.T) {
	f := newFakeServer(t)
	f.onReport = func(request *reconcilev1.ReportRequest) (*reconcilev1.ReportResponse, error) {
		return results(request, reconcilev1.ReportOutcome_REPORT_OUTCOME_STALE), nil
	}
	f.start(t, succeed, func(o *Options) { o.Concurrency = 1 })
	f.offer("a", `{}`)
	f.awaitReports(t, 1)
	f.offer("b", `{}`) // leased after everything about a is over
	if last := f.awaitReports(t, 2)[1]; last.GetLeaseToken() != "b" {
		t.Errorf("reported again: %v", last)
	}
}

func TestARefusedReportBecomesAnError(t *testing.T) {
	f := newFakeServer(t)
	f.onReport = func(request *reconcilev1.ReportRequest) (*reconcilev1.ReportResponse, error) {
		if request.GetReports()[0].GetResult() == failure {
			return results(request, reconcilev1.ReportOutcome_REPORT_OUTCOME_ACCEPTED), nil
		}
		return results(request, reconcilev1.ReportOutcome_REPORT_OUTCOME_INVALID), nil
	}
	f.offer("a", `{}`)
	f.start(t, succeed)
	report := f.awaitReports(t, 2)[1]
	if report.GetResult() != failure || report.GetError() != "report refused: because" || report.GetLeaseToken() != "a" {
		t.Errorf("reported %v", report)
	}
}

func TestOneRefusedReportHoldsUpNoOther(t *testing.T) {
	f := newFakeServer(t)
	held := make(gate)
	f.onReport = func(request *reconcilev1.ReportRequest) (*reconcilev1.ReportResponse, error) {
		for _, report := range request.GetReports() {
			if report.GetLeaseToken() == "bad" && report.GetResult() == success {
				return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("cannot read it"))
			}
		}
		return results(request, reconcilev1.ReportOutcome_REPORT_OUTCOME_ACCEPTED), nil
	}
	for _, name := range []string{"a", "bad", "c", "d"} {
		f.offer(name, `{}`)
	}
	f.start(t, held.reconcile)
	f.await(t, "all to be leased", func() bool { return len(f.leased) == 4 })
	close(held)
	for _, report := range f.awaitReports(t, 4) {
		if (report.GetLeaseToken() == "bad") != (report.GetResult() == failure) {
			t.Errorf("reported %v", report)
		}
	}
}

func TestAnUnansweredReportIsSentAgainUnchanged(t *testing.T) {
	f := newFakeServer(t)
	var seen []*reconcilev1.ReportRequest
	f.onReport = func(request *reconcilev1.ReportRequest) (*reconcilev1.ReportResponse, error) {
		seen = append(seen, request) // one call at a time
		switch len(seen) {
		case 1:
			return nil, errUnavailable()
		case 2:
			return nil, connect.NewError(connect.CodeDeadlineExceeded, errors.New("slow"))
		case 3:
			panic(http.ErrAbortHandler) // the connection's stream breaks
		}
		return results(request, reconcilev1.ReportOutcome_REPORT_OUTCOME_ACCEPTED), nil
	}
	f.offer("a", `{}`)
	f.start(t, succeed)
	f.awaitReports(t, 1)
	if len(seen) != 4 {
		t.Errorf("sent %d times, want 4", len(seen))
	}
	for _, request := range seen {
		if !proto.Equal(request, seen[0]) {
			t.Errorf("sent %v, first %v", request, seen[0])
		}
	}
}

func results(request *reconcilev1.ReportRequest, outcome reconcilev1.ReportOutcome) *reconcilev1.ReportResponse {
	answer := &reconcilev1.ReportResponse{}
	for range request.GetReports() {
		answer.Results = append(answer.Results, &reconcilev1.ReportResult{Outcome: outcome, Message: "because"})
	}
	return answer
}
