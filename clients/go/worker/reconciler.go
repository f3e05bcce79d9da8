package worker

import (
	"context"
	"time"
)

// Reconciler drives reality towards the declared state of one kind of resource.
//
// A pass is told which resource, never what changed: it reads, compares and acts, and must be safe to repeat. Passes over one
// resource do not overlap as long as each returns when its context ends; passes over different ones run side by side.
//
// The context ends when the lease is lost, the deadline is near, or the process stops: from then on nothing may be changed,
// and whatever is returned does not count. An error is retried after back-off; see [TerminalError] for one that should not.
// A panic counts as an error, except in goroutines that the pass starts: those end the process, as everywhere in Go.
type Reconciler interface {
	Reconcile(ctx context.Context, req Request) (Result, error)
}

// ReconcilerFunc is a function as a [Reconciler].
type ReconcilerFunc func(ctx context.Context, req Request) (Result, error)

// Reconcile calls the function.
func (f ReconcilerFunc) Reconcile(ctx context.Context, req Request) (Result, error) {
	return f(ctx, req)
}

// Result is how a pass ended. The zero value says: reality is as declared, the status stays as it is.
type Result struct {
	// Status is marshalled as JSON and replaces the stored one, conditions apart that the pass set; nil leaves it. It is
	// stored with an error too. NaN, an infinity or text that is not UTF-8 makes the pass fail with the path.
	Status any
	// MergeStatus makes Status a JSON Merge Patch (RFC 7396) of the stored one: null removes a member.
	MergeStatus bool
	// RequeueAfter asks for another pass then, or earlier when something changes. The generation does not count as finished,
	// unless [Request.MarkObserved] says so. 0: the work is done. A time that has passed (negative) means at once, and 1 s from
	// the second time in a row; more than 30 days means 30 days.
	RequeueAfter time.Duration
}

// TerminalError is an error that trying again cannot mend until the resource changes: it becomes the condition Ready = False
// with its reason, and the pass counts as finished. On a deleting resource it is retried like any other, because giving up
// there would leave something behind.
type TerminalError struct {
	// Reason is one CamelCase word for the condition, for example "InvalidSpec".
	Reason string
	// Err says what is wrong, to people.
	Err error
}

// Error returns the text of Err, or Reason without one.
func (e *TerminalError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *TerminalError) Unwrap() error { return e.Err }
