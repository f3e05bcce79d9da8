package worker

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

const (
	// Renewals within one lease duration. While no lease is held there is nothing to lose but the registration.
	renewalsBusy = 4
	renewalsIdle = 2
	// Below the 5 s after which the server returns a lease that a renewal does not list: a late one must not arrive then.
	renewTimeout = 4 * time.Second
	// Passes that save their progress share renewals that are at least this far apart.
	progressInterval = 100 * time.Millisecond
	// What one renewal carries at most; the server takes 4 MiB. The rest goes with the next.
	maxProgressBytes = 2 << 20
)

// keepRenewed renews until the session ends.
func (s *session) keepRenewed() {
	failures, retryAt := 0, time.Time{}
	for s.ctx.Err() == nil {
		due := s.renewalDue()
		if failures > 0 {
			due = retryAt
		}
		timer := time.NewTimer(time.Until(due))
		select {
		case <-timer.C:
		case <-s.renewSoon:
			timer.Stop()
			continue
		case <-s.ctx.Done():
			timer.Stop()
			return
		}
		if err := s.renew(); err == nil {
			failures = 0
		} else if !s.endIfGone(err) {
			failures++
			retryAt = time.Now().Add(min(retryDelay(failures), s.leaseDuration/renewalsBusy))
			warnOf(s.logger, "renewal failed", err, failures)
		}
	}
}

func (s *session) renewalDue() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.held {
		if l.unsaved != nil {
			return s.lastRenewal.Add(progressInterval)
		}
	}
	if len(s.held) == 0 {
		return s.lastRenewal.Add(s.leaseDuration / renewalsIdle)
	}
	return s.lastRenewal.Add(s.leaseDuration / renewalsBusy)
}

func (s *session) renew() error {
	request, carried := s.renewal()
	sentAt := time.Now()
	timeout := min(s.leaseDuration/renewalsBusy, renewTimeout)
	call, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	answer, err := s.api.Renew(call, request)
	if err != nil {
		// A renewal refused over what it carries goes again without it: it must never cost the leases.
		if len(carried) > 0 && connect.IsWireError(err) && connect.CodeOf(err) == connect.CodeInvalidArgument {
			s.saved(carried, fmt.Errorf("progress was refused: %w", err))
		}
		return err
	}
	s.trustFrom(sentAt)
	s.lose(errGivenAway, answer.GetLostLeaseTokens()...)
	s.saved(carried, nil)
	return nil
}

// renewal lists exactly what is held now, and takes along the progress that fits.
func (s *session) renewal() (*reconcilev1.RenewRequest, map[*lease]*progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastRenewal = time.Now()
	request := &reconcilev1.RenewRequest{SessionId: s.id}
	carried, size := map[*lease]*progress{}, 0
	for token, l := range s.held {
		request.LeaseTokens = append(request.LeaseTokens, token)
		if p := l.unsaved; p != nil && size+len(p.message)+len(p.checkpoint) <= maxProgressBytes {
			size += len(p.message) + len(p.checkpoint)
			request.Progress = append(request.Progress, p.wire(token))
			carried[l] = p
		}
	}
	return request, carried
}

// saved answers the passes whose progress a renewal carried.
func (s *session) saved(carried map[*lease]*progress, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l, p := range carried {
		p.stored <- err
		if l.unsaved == p {
			l.unsaved = nil
		}
	}
}

// saveProgress hands progress to the next renewal and waits until one has carried it.
func (s *session) saveProgress(ctx context.Context, l *lease, p *progress) error {
	select {
	case l.saving <- struct{}{}:
		defer func() { <-l.saving }()
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.pass.Done():
		return context.Cause(l.pass)
	}
	s.setUnsaved(l, p)
	defer s.setUnsaved(l, nil)
	notify(s.renewSoon)
	select {
	case err := <-p.stored:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.pass.Done():
		return context.Cause(l.pass)
	}
}

func (s *session) setUnsaved(l *lease, p *progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.unsaved = p
}
