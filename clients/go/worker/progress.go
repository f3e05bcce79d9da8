package worker

import (
	"fmt"
	"unicode/utf16"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

const (
	maxProgressMessage = 1_024
	maxCheckpoint      = 64 << 10
)

// progress is what a pass wants saved with a renewal.
type progress struct {
	message    string
	checkpoint []byte // nil: unchanged
	stored     chan error
}

func newProgress(message string, checkpoint []byte) (*progress, error) {
	message = storable(message)
	// The server counts UTF-16 units; a renewal that it refuses would renew nothing.
	if length := len(utf16.Encode([]rune(message))); length > maxProgressMessage {
		return nil, fmt.Errorf("progress message must be at most %d characters (got %d); shorten it", maxProgressMessage, length)
	}
	if len(checkpoint) > maxCheckpoint {
		return nil, fmt.Errorf("checkpoint must be at most %d bytes (got %d); save where to find it", maxCheckpoint, len(checkpoint))
	}
	if checkpoint != nil {
		checkpoint = append([]byte{}, checkpoint...) // the caller may go on writing into it
	}
	return &progress{message: message, checkpoint: checkpoint, stored: make(chan error, 1)}, nil
}

func (p *progress) wire(token string) *reconcilev1.LeaseProgress {
	return &reconcilev1.LeaseProgress{LeaseToken: token, Message: p.message, Checkpoint: p.checkpoint}
}
