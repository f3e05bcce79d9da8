package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"reconcile-toolkit/clients/go/client"
	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

// Request is one pass: the resource, why it is due, and what the pass wants stored. What it sets is stored together with its
// result, or not at all.
type Request struct {
	recorder
	// Resource is the object as it was after the lease was taken.
	Resource *client.Resource
	// Attempt is 1 for the first pass since the last success.
	Attempt int
	// Reason is why the resource is due, for example SPEC_CHANGED, as the contract's WorkReason; UNSPECIFIED when this
	// library does not know the server's. For logs: never decide by it, several reasons may have become one.
	Reason string
	// Message is the words given with Enqueue, or the last error.
	Message string
	// Checkpoint is what an earlier holder saved since the last success; empty when none did.
	Checkpoint []byte
	// Progress is the words it saved with that.
	Progress string
	// IsSolo says that workers died holding this resource: this one gets nothing else meanwhile.
	IsSolo bool
	// IsDeleting says that the deletion was requested: clean up and return the zero Result.
	IsDeleting bool
	// Logger names the resource in every line.
	Logger *slog.Logger

	save func(ctx context.Context, progress *progress) error
}

// SaveProgress tells the server how far the pass has come and returns when it has stored that: words for people (up to 1,024
// characters; empty: unchanged) and a checkpoint that the next holder gets if this pass does not succeed (up to 64 KiB; nil:
// unchanged). It keeps trying while the lease is trusted; the error is the context's when the pass ended first.
func (r Request) SaveProgress(ctx context.Context, message string, checkpoint []byte) error {
	progress, err := newProgress(message, checkpoint)
	if err != nil || r.save == nil {
		return err
	}
	return r.save(ctx, progress)
}

// Decode reads the spec as T. What it cannot read is a [TerminalError] with reason InvalidSpec: only a new spec helps. A
// deleting resource may have such a spec too, and an error there holds it: clean up without the spec where that is possible.
func Decode[T any](req Request) (T, error) {
	var spec T
	text := req.Resource.Spec
	if len(text) == 0 {
		text = json.RawMessage("null")
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return spec, &TerminalError{Reason: "InvalidSpec", Err: fmt.Errorf("spec: %w", err)}
	}
	return spec, nil
}

func newRequest(item *reconcilev1.LeasedItem, logger *slog.Logger) Request {
	resource := client.FromWire(item.GetResource())
	return Request{
		recorder: newRecorder(),
		Resource: resource, Attempt: int(item.GetAttempt()),
		Reason: reasonName(item.GetReason()), Message: item.GetMessage(),
		Checkpoint: item.GetCheckpoint(), Progress: item.GetProgress(),
		IsSolo: item.GetIsSolo(), IsDeleting: resource.IsDeleting(),
		Logger: logger.With("resource", resource.Key.String()),
	}
}

func reasonName(reason reconcilev1.WorkReason) string {
	const prefix = len("WORK_REASON_")
	if name, ok := reconcilev1.WorkReason_name[int32(reason)]; ok {
		return name[prefix:]
	}
	return reconcilev1.WorkReason_name[0][prefix:]
}
