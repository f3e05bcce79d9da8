package worker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"reconcile-toolkit/clients/go/client"
	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

const (
	// What the server takes in one call: reports, and bytes with room to spare below its 4 MiB.
	maxReports     = 1_000
	maxReportBytes = 2 << 20
	reportTimeout  = 10 * time.Second
)

// reporter sends the reports of one session: all that are ready go in one call, one call at a time.
//
// A call that was not answered is sent again unchanged: the server answers STALE to what it has stored, because a lease token
// is good for one report. A call that is refused is halved until the report to blame stands alone: no report holds up others.
type reporter struct {
	session *session
	soon    chan struct{}
	mu      sync.Mutex
	waiting []*outgoing
}

type outgoing struct {
	lease  *lease
	report *reconcilev1.PassReport
	size   int
	answer chan *reconcilev1.ReportResult
}

// report returns when the report has been answered, or is wanted by nobody.
func (r *reporter) report(l *lease, report *reconcilev1.PassReport) {
	logger := r.session.logger.With("resource", client.FromWire(l.item.GetResource()).Key.String())
	result := r.submit(l, report)
	switch result.GetOutcome() {
	case reconcilev1.ReportOutcome_REPORT_OUTCOME_STALE:
		logger.Debug("report was stale: the lease is somebody else's", "message", result.GetMessage())
	case reconcilev1.ReportOutcome_REPORT_OUTCOME_INVALID:
		// The lease is still ours: say what is wrong in a report that cannot be, so that it is seen and backs off.
		logger.Error("report was refused", "message", result.GetMessage())
		r.submit(l, &reconcilev1.PassReport{
			Key: report.GetKey(), LeaseToken: report.GetLeaseToken(),
			Result: reconcilev1.PassResult_PASS_RESULT_ERROR,
			Error:  describe("report refused: " + result.GetMessage()),
		})
	}
}

// submit returns the server's result, or what it would be; nil when the lease was lost first.
func (r *reporter) submit(l *lease, report *reconcilev1.PassReport) *reconcilev1.ReportResult {
	text, err := proto.Marshal(report)
	if err != nil {
		return invalid(err.Error()) // text that is not UTF-8: no server would ever see it
	}
	// Not sent to be refused: a server may close the connection on a large request, and that looks as if it were away.
	if len(text) > maxReportBytes {
		return invalid(fmt.Sprintf("it must be at most %d bytes (got %d)", maxReportBytes, len(text)))
	}
	out := &outgoing{lease: l, report: report, size: len(text), answer: make(chan *reconcilev1.ReportResult, 1)}
	r.mu.Lock()
	r.waiting = append(r.waiting, out)
	r.mu.Unlock()
	notify(r.soon)
	select {
	case result := <-out.answer:
		return result
	case <-l.lost.Done():
		return nil
	}
}

func (r *reporter) run() {
	for {
		select {
		case <-r.soon:
		case <-r.session.ctx.Done():
			return
		}
		for batch := r.next(); len(batch) > 0; batch = r.next() {
			r.send(batch)
		}
	}
}

func (r *reporter) next() []*outgoing {
	r.mu.Lock()
	defer r.mu.Unlock()
	end, size := 0, 0
	for end < len(r.waiting) && end < maxReports && (end == 0 || size+r.waiting[end].size <= maxReportBytes) {
		size += r.waiting[end].size
		end++
	}
	batch := r.waiting[:end:end]
	r.waiting = r.waiting[end:]
	return batch
}

// send sends a batch until it is answered; what is lost meanwhile is left out.
func (r *reporter) send(batch []*outgoing) {
	s := r.session
	for failures := 1; ; failures++ {
		request := &reconcilev1.ReportRequest{SessionId: s.id}
		s.distrust() // a process that was stopped gets here before its timers have run
		batch = wanted(batch)
		for _, out := range batch {
			request.Reports = append(request.Reports, out.report)
		}
		if len(batch) == 0 {
			return
		}
		call, cancel := context.WithTimeout(s.ctx, reportTimeout)
		answer, err := s.api.Report(call, request)
		cancel()
		switch {
		case err == nil:
			for i, out := range batch {
				var result *reconcilev1.ReportResult // a missing one is an answer too
				if i < len(answer.GetResults()) {
					result = answer.GetResults()[i]
				}
				out.answer <- result
			}
			return
		case s.endIfGone(err):
			return
		case client.IsUnavailable(err):
			warnOf(s.logger, "reports were not answered", err, failures)
			pause(s.ctx, retryDelay(failures))
		case len(batch) == 1:
			batch[0].answer <- invalid(err.Error())
			return
		default:
			half := len(batch) / 2
			r.send(batch[:half])
			r.send(batch[half:])
			return
		}
	}
}

// wanted leaves out reports of lost leases.
func wanted(batch []*outgoing) []*outgoing {
	var left []*outgoing
	for _, out := range batch {
		if !out.lease.isLost() {
			left = append(left, out)
		}
	}
	return left
}

func invalid(message string) *reconcilev1.ReportResult {
	return &reconcilev1.ReportResult{Outcome: reconcilev1.ReportOutcome_REPORT_OUTCOME_INVALID, Message: message}
}
