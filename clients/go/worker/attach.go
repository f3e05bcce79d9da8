package worker

import reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"

// stayAttached keeps an Attach stream open until the session ends. The server takes the end of this side's stream for the end
// of the worker and waits 500 ms, so the first retry comes at once.
func (s *session) stayAttached() {
	for failures := 1; s.ctx.Err() == nil; failures++ {
		stream, err := s.api.Attach(s.ctx, &reconcilev1.AttachRequest{SessionId: s.id})
		if err == nil {
			for stream.Receive() {
				failures = 0
			}
			err = stream.Err()
			_ = stream.Close() // the stream is over: its error is known
		}
		if s.endIfGone(err) {
			return
		}
		s.logger.Debug("attach ended", "error", err)
		pause(s.ctx, retryDelay(max(failures, 1)))
	}
}
