package worker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"connectrpc.com/connect"

	"reconcile-toolkit/clients/go/client"
)

const (
	firstDelay   = 25 * time.Millisecond
	longestDelay = 5 * time.Second
)

// retryDelay returns how long to wait after so many failures in a row (1 or more): doubling, and between a half and the
// whole of that by chance, so that workers which lost one server do not come back all at once.
func retryDelay(failures int) time.Duration {
	delay := longestDelay
	if shift := failures - 1; shift < 8 { // 25 ms · 2^8 is past the longest
		delay = min(firstDelay<<shift, longestDelay)
	}
	return delay/2 + rand.N(delay/2)
}

// warnOf logs a failed call, but a long outage only with its 1st, 2nd, 4th, 8th … failure in a row.
func warnOf(logger *slog.Logger, message string, err error, failures int) {
	if failures&(failures-1) == 0 {
		logger.Warn(message, "error", err, "failures", failures)
	}
}

// pause waits; it ends early when the context does.
func pause(ctx context.Context, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// isSessionGone says whether the server does not know the session: nothing else is looked up by the calls of a session.
func isSessionGone(err error) bool {
	return client.Reason(err) == "SESSION_NOT_FOUND" || (connect.IsWireError(err) && client.IsNotFound(err))
}

// isRefused says whether asking again to register cannot help: the registration or the caller's rights are wrong.
func isRefused(err error) bool {
	if !connect.IsWireError(err) {
		return false
	}
	switch connect.CodeOf(err) {
	case connect.CodeInvalidArgument, connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeUnimplemented:
		return true
	case connect.CodeFailedPrecondition:
		// While another reconciler name has the kind: it may be a predecessor that is about to stop.
		return client.Reason(err) != "KIND_TAKEN"
	}
	return false
}
