// Command go-tcp-check runs the kind `check`: it probes a TCP or HTTP target on an interval, writes the latency to the status and
// says in the condition Reachable whether it answered.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"reconcile-toolkit/clients/go/worker"
)

// spec is what a user declares.
type spec struct {
	Target     string `json:"target"`     // host:port, or an http:// or https:// URL
	IntervalMs int64  `json:"intervalMs"` // from one probe to the next; 10 s when left out
	TimeoutMs  int64  `json:"timeoutMs"`  // for one probe; 2 s when left out
}

// status is what was seen last.
type status struct {
	Target    string    `json:"target"`
	LatencyMs *float64  `json:"latencyMs"` // null: no answer
	CheckedAt time.Time `json:"checkedAt"`
}

// A shorter interval would be a load test, and one above 30 days is more than the queue keeps.
const shortest, longest = 100 * time.Millisecond, 30 * 24 * time.Hour

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := worker.New(worker.Options{
		Server: cmp.Or(os.Getenv("SERVER_URL"), "http://127.0.0.1:8080"),
		Name:   "go-tcp-check", Group: "examples", Kind: "check",
		Reconciler: worker.ReconcilerFunc(reconcile),
	}).Run(ctx)
	if err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func reconcile(ctx context.Context, req worker.Request) (worker.Result, error) {
	if req.IsDeleting {
		return worker.Result{}, nil // a probe leaves nothing behind
	}
	spec, interval, timeout, err := read(req)
	if err != nil {
		return worker.Result{}, err
	}
	probing, cancel := context.WithTimeout(ctx, timeout)
	defer cancel() // when it is ctx that ended, what is returned does not count
	startedAt := time.Now()
	err = probe(probing, spec.Target)
	latency := float64(time.Since(startedAt).Microseconds()) / 1000
	seen := status{Target: spec.Target, CheckedAt: startedAt.UTC()}
	if err == nil {
		seen.LatencyMs = &latency
		req.SetCondition("Reachable", worker.True, "Answered", spec.Target+" answers")
	} else {
		req.SetCondition("Reachable", worker.False, "NoAnswer", err.Error())
	}
	req.MarkObserved() // looking again is not unfinished work
	return worker.Result{Status: seen, RequeueAfter: interval}, nil
}

func read(req worker.Request) (read spec, interval, timeout time.Duration, err error) {
	if read, err = worker.Decode[spec](req); err != nil {
		return read, 0, 0, err
	}
	interval = time.Duration(cmp.Or(read.IntervalMs, 10_000)) * time.Millisecond
	timeout = time.Duration(cmp.Or(read.TimeoutMs, 2_000)) * time.Millisecond
	switch {
	case read.Target == "":
		err = errors.New(`spec.target must be "host:port" or an http(s) URL`)
	case interval < shortest || interval > longest:
		err = fmt.Errorf("spec.intervalMs must be %v to %v, not %v", shortest, longest, interval)
	case timeout <= 0 || timeout > time.Minute:
		err = fmt.Errorf("spec.timeoutMs must be above 0 and at most %v, not %v", time.Minute, timeout)
	}
	if err != nil {
		err = &worker.TerminalError{Reason: "InvalidSpec", Err: err}
	}
	return read, interval, timeout, err
}

// probe returns nil when the target answers: a TCP connection, or an HTTP response below 500.
func probe(ctx context.Context, target string) error {
	if !strings.HasPrefix(target, "http://") && !strings.HasPrefix(target, "https://") {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", target)
		if err != nil {
			return err
		}
		return connection.Close()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s answers %s", target, response.Status)
	}
	return nil
}
