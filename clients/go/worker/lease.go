package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

var (
	errGivenAway    = errors.New("the lease is lost: the server gave it away")
	errUntrusted    = errors.New("the lease is lost: the server has not answered a renewal in time")
	errSessionEnded = errors.New("the lease is lost: the server ended the session")
	errStopping     = errors.New("the worker is stopping")
)

// The server must still accept the report, so a pass ends this much before its deadline, but never more than a tenth.
const reportMargin = time.Second

// lease is one leased resource while its pass runs or its report is on its way.
type lease struct {
	item *reconcilev1.LeasedItem
	// lost ends when nobody wants a report any more.
	lost context.Context
	lose context.CancelCauseFunc
	// pass ends with lost, at the deadline, and when the worker stops: it is what the reconciler gets.
	pass      context.Context
	stop      context.CancelCauseFunc
	stopTimer context.CancelFunc
	margin    time.Duration // between the end of pass and the deadline
	saving    chan struct{} // one SaveProgress at a time; its capacity is the lock
	unsaved   *progress     // guarded by the session's mutex
}

// newLease counts the deadline from now: on our clock, from the receipt.
func newLease(parent context.Context, item *reconcilev1.LeasedItem, deadline time.Duration) *lease {
	l := &lease{item: item, saving: make(chan struct{}, 1)}
	l.lost, l.lose = context.WithCancelCause(parent)
	stoppable, stop := context.WithCancelCause(l.lost)
	l.stop = stop
	l.margin = min(reportMargin, deadline/10)
	late := fmt.Errorf("the pass took longer than its deadline of %v", deadline)
	l.pass, l.stopTimer = context.WithTimeoutCause(stoppable, deadline-l.margin, late)
	return l
}

func (l *lease) token() string { return l.item.GetLeaseToken() }

func (l *lease) isLost() bool { return l.lost.Err() != nil }

// settle frees what the contexts hold.
func (l *lease) settle() {
	l.stopTimer()
	l.stop(context.Canceled)
	l.lose(context.Canceled)
}
