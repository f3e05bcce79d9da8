package worker

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

const (
	leaseWait = 30 * time.Second
	// The answer to a long poll that found nothing is on its way for a moment too.
	leaseTimeout = leaseWait + 10*time.Second
	// After the grace: for the last reports, which say RELEASE.
	lastReports = 2 * time.Second
	// For telling the server goodbye; the end of Attach tells it too, 500 ms later.
	deregisterTimeout = time.Second
)

// leaseUntil leases work and starts passes, never more at once than the session's concurrency, until stopping or the session
// ends.
func (s *session) leaseUntil(stopping context.Context) {
	leasing, cancel := context.WithCancel(s.ctx)
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	for failures := 0; leasing.Err() == nil; {
		free := s.free()
		if free == 0 {
			select {
			case <-s.leaseSoon:
			case <-leasing.Done():
			}
			continue
		}
		items, err := s.lease(leasing, free)
		if err == nil {
			failures = 0
			s.start(items, stopping)
			continue
		}
		if s.endIfGone(err) {
			return
		}
		failures++
		warnOf(s.logger, "lease call failed", err, failures)
		pause(leasing, retryDelay(failures))
	}
}

// lease asks for as many as are free. Nothing and no error when the call was given up here, to stop or for want of trust.
func (s *session) lease(ctx context.Context, free int) ([]*reconcilev1.LeasedItem, error) {
	call, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	s.mu.Lock()
	s.giveUpLease = cancel
	s.mu.Unlock()
	request := &reconcilev1.LeaseRequest{SessionId: s.id, MaxItems: int32(min(free, 1_000)), Wait: durationpb.New(leaseWait)}
	answer, err := s.api.Lease(call, request)
	if errors.Is(call.Err(), context.Canceled) {
		err = nil
	}
	return answer.GetItems(), err
}

// start runs what was leased. What it cannot hold is listed by no renewal, and so goes to somebody else.
func (s *session) start(items []*reconcilev1.LeasedItem, stopping context.Context) {
	for _, item := range items {
		l := s.hold(item)
		if l == nil {
			s.logger.Warn("a lease came that cannot be held: no slot is free, or no renewal was answered")
			continue
		}
		if stopping.Err() != nil {
			l.stop(errStopping)
		}
		s.passes.Go(func() {
			defer s.letGo(l)
			if report := s.runPass(l); report != nil {
				s.reporter.report(l, report)
			}
		})
	}
}

// drain lets running passes finish within the grace, releases the rest, and deregisters.
func (s *session) drain() {
	finished := make(chan struct{})
	go func() { s.passes.Wait(); close(finished) }()
	within := func(limit time.Duration) {
		select {
		case <-finished:
		case <-time.After(limit):
		}
	}
	within(s.options.Grace)
	s.mu.Lock()
	for _, l := range s.held {
		l.stop(errStopping)
	}
	s.mu.Unlock()
	within(abandonAfter + lastReports)
	if s.ctx.Err() != nil {
		return
	}
	s.isLeaving.Store(true)
	call, cancel := context.WithTimeout(context.Background(), deregisterTimeout) // outlives the session that it ends
	defer cancel()
	if _, err := s.api.Deregister(call, &reconcilev1.DeregisterRequest{SessionId: s.id}); err != nil {
		s.logger.Info("not deregistered: the session ends by itself", "error", err)
	}
}
