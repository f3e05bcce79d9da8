package client

import (
	"errors"

	"connectrpc.com/connect"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

// Reason returns the server's machine-readable reason of a failed call, for example REVISION_CONFLICT; empty when the error
// carries none.
func Reason(err error) string {
	var failed *connect.Error
	if !errors.As(err, &failed) {
		return ""
	}
	for _, detail := range failed.Details() {
		if message, err := detail.Value(); err == nil {
			if known, ok := message.(*reconcilev1.ErrorDetail); ok {
				return known.GetReason()
			}
		}
	}
	return ""
}

// IsNotFound says whether there is no such resource.
func IsNotFound(err error) bool { return connect.CodeOf(err) == connect.CodeNotFound }

// IsAlreadyExists says whether the key is taken.
func IsAlreadyExists(err error) bool { return connect.CodeOf(err) == connect.CodeAlreadyExists }

// IsUnavailable says whether the same call may succeed later. IsOutcomeUnknown tells whether a write may be stored already.
//
// Beside UNAVAILABLE and DEADLINE_EXCEEDED that is whatever the transport makes of a broken connection: an answer that ends
// half-way comes with many codes, and all of them have in common that no server sent them.
func IsUnavailable(err error) bool {
	if err == nil {
		return false
	}
	code := connect.CodeOf(err)
	if code == connect.CodeUnavailable || code == connect.CodeDeadlineExceeded {
		return true
	}
	// RESOURCE_EXHAUSTED without that reason says that a request is too large, for ever.
	return !connect.IsWireError(err) || Reason(err) == "OVERLOADED"
}

// IsOutcomeUnknown says whether a write that failed may be stored all the same: read, then decide. Every other error proves that
// it is not stored, and never will be (docs/write-outcomes.md).
func IsOutcomeUnknown(err error) bool {
	if err == nil {
		return false
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable:
		return Reason(err) == "" // A proxy's or the client's word: the server's has a reason.
	case connect.CodeDeadlineExceeded, connect.CodeCanceled, connect.CodeInternal, connect.CodeUnknown, connect.CodeDataLoss:
		return true
	default:
		return !connect.IsWireError(err)
	}
}
