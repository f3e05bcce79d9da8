package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

func TestNeverHoldsMoreThanItsConcurrency(t *testing.T) {
	f := newFakeServer(t)
	const count = 200
	for i := range count {
		f.offer(fmt.Sprint(i), `{}`)
	}
	var running, most atomic.Int32
	f.start(t, func(context.Context, Request) (Result, error) {
		now := running.Add(1)
		defer running.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		return Result{}, nil
	}, func(o *Options) { o.Concurrency = 3 })
	f.awaitReports(t, count)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mostLeased > 3 || most.Load() > 3 {
		t.Errorf("held %d leases and ran %d passes at once, want at most 3", f.mostLeased, most.Load())
	}
}

func TestRenewsWhatItHoldsOftenEnough(t *testing.T) {
	f := newFakeServer(t)
	f.leaseDuration = 1200 * time.Millisecond
	f.offer("a", `{}`)
	f.offer("b", `{}`)
	f.start(t, untilDone)
	f.await(t, "six renewals", func() bool { return len(f.renewals) >= 6 })
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, renewal := range f.renewals[1:6] { // the first may have come before the leases
		if tokens := slices.Sorted(slices.Values(renewal.GetLeaseTokens())); !slices.Equal(tokens, []string{"a", "b"}) {
			t.Errorf("renewed %v", tokens)
		}
	}
	if took := f.renewedAt[5].Sub(f.renewedAt[0]); took > 5*f.leaseDuration/3 {
		t.Errorf("six renewals took %v of a lease duration of %v", took, f.leaseDuration)
	}
}

func TestALostLeaseEndsItsPassWithoutAReport(t *testing.T) {
	f := newFakeServer(t)
	f.leaseDuration = 1200 * time.Millisecond
	f.onRenew = func(request *reconcilev1.RenewRequest) (*reconcilev1.RenewResponse, error) {
		answer := &reconcilev1.RenewResponse{}
		if slices.Contains(request.GetLeaseTokens(), "lost") {
			answer.LostLeaseTokens = []string{"lost"}
		}
		return answer, nil
	}
	f.offer("lost", `{}`)
	causes := make(chan error, 1)
	f.start(t, func(ctx context.Context, req Request) (Result, error) {
		if req.Resource.Key.Name == "lost" {
			<-ctx.Done()
			causes <- context.Cause(ctx)
		}
		return Result{}, nil
	}, func(o *Options) { o.Concurrency = 1 })
	if cause := <-causes; !errors.Is(cause, errGivenAway) {
		t.Errorf("the pass ended with %v", cause)
	}
	f.offer("next", `{}`) // leased when the slot of the lost one is free
	if report := f.awaitReports(t, 1)[0]; report.GetLeaseToken() != "next" {
		t.Errorf("reported %v", report)
	}
}

func TestStopsTrustingItsLeasesWhenNoRenewalIsAnswered(t *testing.T) {
	f := newFakeServer(t)
	f.leaseDuration = 1500 * time.Millisecond // trusted for 1 s
	var isAnswering atomic.Bool
	f.onRenew = func(*reconcilev1.RenewRequest) (*reconcilev1.RenewResponse, error) {
		if isAnswering.Load() {
			return &reconcilev1.RenewResponse{}, nil
		}
		return nil, errUnavailable()
	}
	f.offer("a", `{}`)
	ended := make(chan time.Time, 1)
	f.start(t, func(ctx context.Context, req Request) (Result, error) {
		if req.Resource.Key.Name == "a" {
			<-ctx.Done()
			ended <- time.Now()
		}
		return Result{}, nil
	})
	startedAt := time.Now()
	if took := (<-ended).Sub(startedAt); took > f.leaseDuration {
		t.Errorf("the pass went on for %v, with a lease duration of %v", took, f.leaseDuration)
	}
	f.await(t, "a renewal without the lease", func() bool {
		return len(f.renewals[len(f.renewals)-1].GetLeaseTokens()) == 0
	})
	f.mu.Lock()
	before := len(f.leaseCalls)
	f.mu.Unlock()
	isAnswering.Store(true)
	f.await(t, "a new lease call", func() bool { return len(f.leaseCalls) > before })
	f.offer("b", `{}`)
	if report := f.awaitReports(t, 1)[0]; report.GetLeaseToken() != "b" {
		t.Errorf("reported %v", report)
	}
}

func TestRegistersAgainWhenTheSessionIsGone(t *testing.T) {
	for name, breakSession := range map[string]func(*fakeServer, func() error){
		"says Renew": func(f *fakeServer, once func() error) {
			f.onRenew = func(*reconcilev1.RenewRequest) (*reconcilev1.RenewResponse, error) {
				return &reconcilev1.RenewResponse{}, once()
			}
		},
		"says Report": func(f *fakeServer, once func() error) {
			f.onReport = func(request *reconcilev1.ReportRequest) (*reconcilev1.ReportResponse, error) {
				return results(request, reconcilev1.ReportOutcome_REPORT_OUTCOME_ACCEPTED), once()
			}
		},
		"says Lease": func(f *fakeServer, once func() error) { f.onLease = once },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.leaseDuration = 1200 * time.Millisecond
			var failures atomic.Int32
			breakSession(f, func() error {
				if failures.Add(1) == 1 {
					return errSessionNotFound()
				}
				return nil
			})
			f.offer("a", `{}`)
			f.start(t, succeed)
			f.await(t, "a second registration", func() bool { return len(f.registered) >= 2 })
			f.offer("b", `{}`)
			f.await(t, "work under it", func() bool {
				return slices.ContainsFunc(f.reports, func(r *reconcilev1.PassReport) bool { return r.GetLeaseToken() == "b" })
			})
			if f.registered[0].GetInstanceId() != f.registered[1].GetInstanceId() {
				t.Error("the instance id changed")
			}
		})
	}
}

func TestASessionThatIsGoneEndsItsPasses(t *testing.T) {
	f := newFakeServer(t)
	f.leaseDuration = 1200 * time.Millisecond
	f.onRenew = func(request *reconcilev1.RenewRequest) (*reconcilev1.RenewResponse, error) {
		if request.GetSessionId() == "session-1" && len(request.GetLeaseTokens()) > 0 {
			return nil, errSessionNotFound()
		}
		return &reconcilev1.RenewResponse{}, nil
	}
	f.offer("a", `{}`)
	causes := make(chan error, 1)
	f.start(t, func(ctx context.Context, _ Request) (Result, error) {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return Result{}, nil
	})
	if cause := <-causes; !errors.Is(cause, errSessionEnded) {
		t.Errorf("the pass ended with %v", cause)
	}
	f.await(t, "a second registration", func() bool { return len(f.registered) >= 2 })
	if len(f.reports) > 0 {
		t.Errorf("reported %v", f.reports)
	}
}

func TestAttachesAgain(t *testing.T) {
	f := newFakeServer(t)
	f.start(t, succeed)
	f.await(t, "an attachment", func() bool { return f.attached == 1 })
	brokenAt := time.Now()
	f.change(func() { close(f.breakAttach); f.breakAttach = make(chan struct{}) })
	f.await(t, "another one", func() bool { return f.attachments == 2 && f.attached == 1 })
	if took := time.Since(brokenAt); took > 500*time.Millisecond {
		t.Errorf("it took %v, and the grace is 500 ms", took)
	}
}

func TestBacksOffWhileTheServerIsUnavailable(t *testing.T) {
	f := newFakeServer(t)
	const failing = 7
	var calls atomic.Int32
	f.onLease = func() error {
		if n := calls.Add(1); n > 1 && n <= failing {
			return errUnavailable()
		}
		return nil
	}
	held := make(gate)
	f.offer("a", `{}`)
	f.start(t, held.reconcile, func(o *Options) { o.Concurrency = 2 })
	f.await(t, "the calls to be answered again", func() bool { return len(f.leaseCalls) > failing })
	f.mu.Lock()
	first, last := f.leaseCalls[2].Sub(f.leaseCalls[1]), f.leaseCalls[failing].Sub(f.leaseCalls[failing-1])
	f.mu.Unlock()
	if first > last || last < 300*time.Millisecond {
		t.Errorf("waited %v at first and %v at last", first, last)
	}
	close(held)
	if report := f.awaitReports(t, 1)[0]; report.GetResult() != success {
		t.Errorf("the pass that ran meanwhile reported %v", report)
	}
}

func TestRetryDelaysGrowToACap(t *testing.T) {
	for failures, most := range map[int]time.Duration{
		1: firstDelay, 2: 2 * firstDelay, 8: 128 * firstDelay, 9: longestDelay, 1_000: longestDelay,
	} {
		for range 100 {
			if delay := retryDelay(failures); delay < most/2 || delay > most {
				t.Fatalf("after %d failures: %v, want %v to %v", failures, delay, most/2, most)
			}
		}
	}
}

func TestSavesProgressSoon(t *testing.T) {
	f := newFakeServer(t)
	held := make(gate)
	saved := make(chan error, 1)
	f.offer("a", `{}`)
	f.start(t, func(ctx context.Context, req Request) (Result, error) {
		saved <- req.SaveProgress(ctx, "working", []byte("abc"))
		return held.reconcile(ctx, req)
	})
	startedAt := time.Now()
	if err := <-saved; err != nil {
		t.Fatal(err)
	}
	if took := time.Since(startedAt); took > time.Second {
		t.Errorf("it took %v", took)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(held)
	renewal := f.renewals[len(f.renewals)-1]
	progress := renewal.GetProgress()[0]
	if progress.GetLeaseToken() != "a" || progress.GetMessage() != "working" || string(progress.GetCheckpoint()) != "abc" ||
		!slices.Equal(renewal.GetLeaseTokens(), []string{"a"}) {
		t.Errorf("renewed with %v", renewal)
	}
}

func TestRefusedProgressCostsNoLease(t *testing.T) {
	f := newFakeServer(t)
	f.onRenew = func(request *reconcilev1.RenewRequest) (*reconcilev1.RenewResponse, error) {
		if len(request.GetProgress()) > 0 {
			return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("no"))
		}
		return &reconcilev1.RenewResponse{}, nil
	}
	f.offer("a", `{}`)
	saved := make(chan error, 3)
	f.start(t, func(ctx context.Context, req Request) (Result, error) {
		saved <- req.SaveProgress(ctx, strings.Repeat("x", maxProgressMessage+1), nil)
		saved <- req.SaveProgress(ctx, "", make([]byte, maxCheckpoint+1))
		saved <- req.SaveProgress(ctx, "fine", nil)
		return Result{}, nil
	})
	for _, want := range []string{"at most 1024 characters", "at most 65536 bytes", "progress was refused"} {
		if err := <-saved; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("saving failed with %v, want %q", err, want)
		}
	}
	if report := f.awaitReports(t, 1)[0]; report.GetResult() != success {
		t.Errorf("reported %v", report)
	}
}

func TestDrainsWhenItsContextEnds(t *testing.T) {
	f := newFakeServer(t)
	held := make(gate)
	f.offer("quick", `{}`)
	f.offer("slow", `{}`)
	stop := f.start(t, func(ctx context.Context, req Request) (Result, error) {
		if req.Resource.Key.Name == "slow" {
			return untilDone(ctx, req)
		}
		return held.reconcile(ctx, req)
	}, func(o *Options) { o.Grace = 500 * time.Millisecond })
	f.await(t, "both to be leased, and a third lease call", func() bool { return len(f.leased) == 2 && len(f.leaseCalls) == 2 })
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(held)
	if err := <-stopped; err != nil {
		t.Errorf("Run returned %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.reports) != 2 || f.reports[0].GetResult() != success || f.reports[1].GetResult() != release {
		t.Errorf("reported %v", f.reports)
	}
	if !slices.Equal(f.deregistered, []string{"session-1"}) || len(f.leaseCalls) != 2 {
		t.Errorf("deregistered %v after %d lease calls", f.deregistered, len(f.leaseCalls))
	}
}

func TestRunReturnsWhenTheServerRefusesTheRegistration(t *testing.T) {
	f := newFakeServer(t)
	f.onRegister = func() error {
		return connect.NewError(connect.CodeInvalidArgument, errors.New("concurrency must be 1 to 1,000"))
	}
	err := New(Options{Server: f.url, Name: "n", Group: "g", Kind: "k", Reconciler: ReconcilerFunc(succeed)}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "concurrency must be") {
		t.Errorf("Run returned %v", err)
	}
	err = New(Options{Name: "n"}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "Options.Server must be set") {
		t.Errorf("Run returned %v", err)
	}
}

func TestWaitsForTheServerAndForATakenKind(t *testing.T) {
	f := newFakeServer(t)
	var calls atomic.Int32
	f.onRegister = func() error {
		switch calls.Add(1) {
		case 1:
			return errUnavailable()
		case 2:
			err := connect.NewError(connect.CodeFailedPrecondition, errors.New("taken"))
			detail, _ := connect.NewErrorDetail(&reconcilev1.ErrorDetail{Reason: "KIND_TAKEN"})
			err.AddDetail(detail)
			return err
		}
		return nil
	}
	f.start(t, succeed)
	f.await(t, "a registration", func() bool { return len(f.registered) == 1 })
}
