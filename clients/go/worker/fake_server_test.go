package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
	"reconcile-toolkit/clients/go/gen/reconcile/v1/reconcilev1connect"
)

const patience = 20 * time.Second

// fakeServer plays the server's side over real cleartext HTTP/2 on loopback, and keeps what it was told.
type fakeServer struct {
	reconcilev1connect.UnimplementedReconcilerServiceHandler
	url           string
	http          *httptest.Server
	leaseDuration time.Duration

	mu           sync.Mutex
	changed      chan struct{} // closed and replaced with every change
	due          []*reconcilev1.LeasedItem
	leased       map[string]*reconcilev1.LeasedItem // not yet reported
	mostLeased   int
	registered   []*reconcilev1.RegisterRequest
	leaseCalls   []time.Time
	attachments  int
	attached     int
	breakAttach  chan struct{}
	renewals     []*reconcilev1.RenewRequest
	renewedAt    []time.Time
	reportCalls  int
	reports      []*reconcilev1.PassReport
	deregistered []string

	// What the calls answer instead, while set; called without the lock.
	onRegister func() error
	onLease    func() error
	onRenew    func(*reconcilev1.RenewRequest) (*reconcilev1.RenewResponse, error)
	onReport   func(*reconcilev1.ReportRequest) (*reconcilev1.ReportResponse, error)
}

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	f := &fakeServer{
		leaseDuration: 30 * time.Second, changed: make(chan struct{}), breakAttach: make(chan struct{}),
		leased: map[string]*reconcilev1.LeasedItem{},
	}
	mux := http.NewServeMux()
	mux.Handle(reconcilev1connect.NewReconcilerServiceHandler(f))
	f.http = httptest.NewUnstartedServer(mux)
	f.http.Config.Protocols = new(http.Protocols)
	f.http.Config.Protocols.SetUnencryptedHTTP2(true)
	f.http.Start()
	f.url = f.http.URL
	t.Cleanup(func() {
		f.http.CloseClientConnections()
		f.http.Close()
	})
	return f
}

// change changes the state and wakes whoever waits for it.
func (f *fakeServer) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// await returns when the condition holds; it is looked at under the lock after every change.
func (f *fakeServer) await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		f.mu.Lock()
		holds, changed := condition(), f.changed
		f.mu.Unlock()
		if holds {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

func (f *fakeServer) awaitReports(t *testing.T, count int) []*reconcilev1.PassReport {
	t.Helper()
	f.await(t, fmt.Sprintf("%d reports", count), func() bool { return len(f.reports) >= count })
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.reports)
}

// offer makes a resource due. The name is also the lease token.
func (f *fakeServer) offer(name, specJSON string, edits ...func(*reconcilev1.LeasedItem)) {
	item := &reconcilev1.LeasedItem{
		Resource: &reconcilev1.Resource{
			Key:      &reconcilev1.ResourceKey{ResourceGroup: "demo", Kind: "thing", Namespace: "default", Name: name},
			SpecJson: specJSON, Generation: 7,
		},
		LeaseToken: name, Attempt: 1, Reason: reconcilev1.WorkReason_WORK_REASON_CREATED,
	}
	for _, edit := range edits {
		edit(item)
	}
	f.change(func() { f.due = append(f.due, item) })
}

func (f *fakeServer) Register(
	_ context.Context, request *reconcilev1.RegisterRequest,
) (*reconcilev1.RegisterResponse, error) {
	if f.onRegister != nil {
		if err := f.onRegister(); err != nil {
			return nil, err
		}
	}
	answer := &reconcilev1.RegisterResponse{
		LeaseDuration: durationpb.New(f.leaseDuration), Concurrency: max(request.GetConcurrency(), 1),
		PassDeadline: request.GetPassDeadline(),
	}
	f.change(func() {
		f.registered = append(f.registered, request)
		answer.SessionId = fmt.Sprintf("session-%d", len(f.registered))
	})
	return answer, nil
}

func (f *fakeServer) Attach(
	ctx context.Context, _ *reconcilev1.AttachRequest, stream *connect.ServerStream[reconcilev1.AttachResponse],
) error {
	if err := stream.Send(&reconcilev1.AttachResponse{ServerTime: timestamppb.Now()}); err != nil {
		return err
	}
	var broken chan struct{}
	f.change(func() { f.attachments++; f.attached++; broken = f.breakAttach })
	defer f.change(func() { f.attached-- })
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-broken:
		return errUnavailable()
	}
}

func (f *fakeServer) Lease(ctx context.Context, request *reconcilev1.LeaseRequest) (*reconcilev1.LeaseResponse, error) {
	f.change(func() { f.leaseCalls = append(f.leaseCalls, time.Now()) })
	if f.onLease != nil {
		if err := f.onLease(); err != nil {
			return nil, err
		}
	}
	for ctx.Err() == nil {
		answer := &reconcilev1.LeaseResponse{}
		f.mu.Lock()
		changed := f.changed
		count := min(len(f.due), int(request.GetMaxItems()))
		answer.Items, f.due = f.due[:count:count], f.due[count:]
		for _, item := range answer.Items {
			f.leased[item.GetLeaseToken()] = item
		}
		f.mostLeased = max(f.mostLeased, len(f.leased))
		f.mu.Unlock()
		if len(answer.Items) > 0 {
			return answer, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil, ctx.Err()
}

func (f *fakeServer) Renew(_ context.Context, request *reconcilev1.RenewRequest) (*reconcilev1.RenewResponse, error) {
	f.change(func() { f.renewals = append(f.renewals, request); f.renewedAt = append(f.renewedAt, time.Now()) })
	if f.onRenew != nil {
		return f.onRenew(request)
	}
	return &reconcilev1.RenewResponse{}, nil
}

func (f *fakeServer) Report(_ context.Context, request *reconcilev1.ReportRequest) (*reconcilev1.ReportResponse, error) {
	answer := &reconcilev1.ReportResponse{}
	for range request.GetReports() {
		outcome := reconcilev1.ReportOutcome_REPORT_OUTCOME_ACCEPTED
		answer.Results = append(answer.Results, &reconcilev1.ReportResult{Outcome: outcome})
	}
	var err error
	f.change(func() { f.reportCalls++ })
	if f.onReport != nil {
		answer, err = f.onReport(request)
	}
	if err == nil {
		f.change(func() {
			f.reports = append(f.reports, request.GetReports()...)
			for _, report := range request.GetReports() {
				delete(f.leased, report.GetLeaseToken())
			}
		})
	}
	return answer, err
}

func (f *fakeServer) Deregister(
	_ context.Context, request *reconcilev1.DeregisterRequest,
) (*reconcilev1.DeregisterResponse, error) {
	f.change(func() { f.deregistered = append(f.deregistered, request.GetSessionId()) })
	return &reconcilev1.DeregisterResponse{}, nil
}

func errUnavailable() error {
	return connect.NewError(connect.CodeUnavailable, errors.New("restarting"))
}

func errSessionNotFound() error {
	err := connect.NewError(connect.CodeNotFound, errors.New("no such session"))
	detail, _ := connect.NewErrorDetail(&reconcilev1.ErrorDetail{Reason: "SESSION_NOT_FOUND"})
	err.AddDetail(detail)
	return err
}

// start runs a worker until the test ends, or the returned function is called and has returned.
func (f *fakeServer) start(t *testing.T, reconcile ReconcilerFunc, edits ...func(*Options)) (stop func() error) {
	t.Helper()
	options := Options{
		Server: f.url, Name: "things", Group: "demo", Kind: "thing", Concurrency: 4, Reconciler: reconcile,
		Grace: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, edit := range edits {
		edit(&options)
	}
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan error, 1)
	go func() { finished <- New(options).Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-finished
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

func untilDone(ctx context.Context, _ Request) (Result, error) {
	<-ctx.Done()
	return Result{}, nil
}

func succeed(context.Context, Request) (Result, error) { return Result{}, nil }

// gate lets passes through when it is closed.
type gate chan struct{}

func (g gate) reconcile(ctx context.Context, _ Request) (Result, error) {
	select {
	case <-g:
	case <-ctx.Done():
	}
	return Result{}, nil
}
