package worker

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
	"reconcile-toolkit/clients/go/gen/reconcile/v1/reconcilev1connect"
)

const (
	// What the server takes when the options do not say; it says so in its answer.
	defaultLeaseDuration = 30 * time.Second
	defaultPassDeadline  = 5 * time.Minute
	defaultConcurrency   = 16
	// A holder stops trusting its leases this much before the server may give them away, but never more than a third.
	trustMargin = time.Second
)

// session is one registration while it lives. It ends when the server does not know it any more, and its leases with it; the
// worker then registers again.
type session struct {
	id            string
	api           reconcilev1connect.ReconcilerServiceClient
	options       Options
	logger        *slog.Logger
	leaseDuration time.Duration
	passDeadline  time.Duration
	concurrency   int
	reporter      *reporter

	ctx context.Context
	end context.CancelCauseFunc

	mu           sync.Mutex
	held         map[string]*lease // by token: what a renewal lists
	running      int               // passes, also those whose lease is lost
	trustedUntil time.Time
	trustTimer   *time.Timer
	lastRenewal  time.Time
	giveUpLease  context.CancelFunc // of the Lease call under way, if any

	isLeaving atomic.Bool   // deregistering: that the server does not know the session any more is no news
	renewSoon chan struct{} // something changed that may bring the next renewal forward
	leaseSoon chan struct{} // a slot may be free, or trust is back
	passes    sync.WaitGroup
	panics    panics
}

// newSession takes the answer of a registration that was sent at sentAt.
func newSession(
	api reconcilev1connect.ReconcilerServiceClient, options Options, answer *reconcilev1.RegisterResponse, sentAt time.Time,
) *session {
	s := &session{
		id: answer.GetSessionId(), api: api, options: options,
		logger:        options.Logger.With("session", answer.GetSessionId()),
		leaseDuration: firstPositive(answer.GetLeaseDuration().AsDuration(), options.LeaseDuration, defaultLeaseDuration),
		passDeadline:  firstPositive(answer.GetPassDeadline().AsDuration(), options.PassDeadline, defaultPassDeadline),
		concurrency:   firstPositive(int(answer.GetConcurrency()), options.Concurrency, defaultConcurrency),
		held:          map[string]*lease{}, lastRenewal: sentAt, giveUpLease: func() {},
		renewSoon: make(chan struct{}, 1), leaseSoon: make(chan struct{}, 1),
	}
	if options.PassDeadline > 0 {
		s.passDeadline = min(s.passDeadline, options.PassDeadline)
	}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	s.reporter = &reporter{session: s, soon: make(chan struct{}, 1)}
	s.trustTimer = time.AfterFunc(time.Hour, s.distrust)
	s.trustFrom(sentAt)
	return s
}

// run works until the session ends or stopping does; then it drains.
func (s *session) run(stopping context.Context) {
	var keepers sync.WaitGroup
	keepers.Go(s.stayAttached)
	keepers.Go(s.keepRenewed)
	keepers.Go(s.reporter.run)
	s.leaseUntil(stopping)
	s.drain()
	s.mu.Lock()
	s.trustTimer.Stop()
	s.mu.Unlock()
	s.end(errStopping)
	keepers.Wait()
}

// hold takes a fresh lease into the renewals. Nil when it is of no use: the session ended, or renewals go unanswered.
func (s *session) hold(item *reconcilev1.LeasedItem) *lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || !s.isTrusted() || s.running >= s.concurrency {
		return nil
	}
	l := newLease(s.ctx, item, s.passDeadline)
	s.held[l.token()] = l
	s.running++
	notify(s.renewSoon) // the idle interval is longer than the busy one
	return l
}

// letGo ends a lease whose report was answered, or is wanted by nobody.
func (s *session) letGo(l *lease) {
	l.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, l.token())
	s.running--
	notify(s.leaseSoon)
}

// free returns how many more leases the session may take now.
func (s *session) free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isTrusted() {
		return 0
	}
	return s.concurrency - s.running
}

// lose stops passes whose leases are no longer this session's.
func (s *session) lose(cause error, tokens ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range tokens {
		if l, ok := s.held[token]; ok {
			l.lose(cause)
			delete(s.held, token)
		}
	}
}

// trustFrom counts from before the renewal was sent, so that a slow answer cannot leave two holders.
func (s *session) trustFrom(sentAt time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trustedUntil = sentAt.Add(s.leaseDuration - min(trustMargin, s.leaseDuration/3))
	s.trustTimer.Reset(time.Until(s.trustedUntil))
	notify(s.leaseSoon)
}

// isTrusted needs the mutex. A process that was stopped finds the time past before its timers have run.
func (s *session) isTrusted() bool { return time.Now().Before(s.trustedUntil) }

// distrust loses all leases when no renewal was answered in time. A lease that came now could not be held: nobody asks for one.
func (s *session) distrust() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isTrusted() {
		return
	}
	s.giveUpLease()
	for token, l := range s.held {
		l.lose(errUntrusted)
		delete(s.held, token)
	}
}

// endIfGone ends the session if err says that the server does not know it; it says whether the session has ended.
func (s *session) endIfGone(err error) bool {
	if s.ctx.Err() == nil && isSessionGone(err) {
		if !s.isLeaving.Load() {
			s.logger.Warn("the server ended the session")
		}
		s.end(errSessionEnded)
	}
	return s.ctx.Err() != nil
}

func notify(soon chan struct{}) {
	select {
	case soon <- struct{}{}:
	default: // already told
	}
}

func firstPositive[T int | time.Duration](values ...T) T {
	for _, value := range values {
		if value > 0 {
			return value
		}
	}
	return 0
}
