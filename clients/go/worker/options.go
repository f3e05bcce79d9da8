package worker

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"reconcile-toolkit/clients/go/client"
	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

const defaultGrace = 5 * time.Second

// Options says what a worker does. Server, Name, Group, Kind and Reconciler are required; what is left out takes the default
// in brackets, which is the server's where it is about the queue.
type Options struct {
	// Server is the state-manager's base URL, for example http://127.0.0.1:8080. It need not be up yet.
	Server string
	// Name is the reconciler's name: all instances of one name share the work; another name is refused for the same kind.
	Name string
	// Group and Kind are what it takes care of.
	Group, Kind string
	// Reconciler is called for every pass.
	Reconciler Reconciler

	// Concurrency is how many passes run at once, 1 to 1,000 [16].
	Concurrency int
	// InstanceID tells this worker from others of its name [host, process id and a random part]. One that stays the same over
	// restarts gets back at once what a killed run held. Two running under one id end each other's sessions again and again.
	InstanceID string
	// Shards limits the work to resources of these shards [all].
	Shards []string
	// Finalizer is put on every resource before its first pass, and goes when a pass over the deleting resource ends with the
	// work done [none].
	Finalizer string

	// PassDeadline is the longest a pass may take, 100 ms to 24 h [5 min].
	PassDeadline time.Duration
	// LeaseDuration is how long the server waits for a silent worker, 1 s to 10 min [30 s].
	LeaseDuration time.Duration
	// ResyncPeriod is how often every resource gets a pass at least, 1 s to 7 days [10 min].
	ResyncPeriod time.Duration
	// BackoffBase is the first wait after an error, 1 ms to 1 h [5 ms]; it doubles up to BackoffMax, 24 h at most [1,000 s].
	BackoffBase, BackoffMax time.Duration
	// PassesPerSecond limits what this worker is given, with Burst after a pause [no limit].
	PassesPerSecond float64
	// Burst is how much may come at once after a pause, with PassesPerSecond [PassesPerSecond, at least 1].
	Burst int
	// KindConcurrency limits the passes over the kind in all workers of this name [no limit].
	KindConcurrency int

	// Grace is how long running passes may go on after the context of Run ended; then they are released [5 s].
	Grace time.Duration
	// Logger gets what the worker has to say [slog.Default()].
	Logger *slog.Logger
	// HTTPClient carries the calls [client.NewHTTPClient()].
	HTTPClient connect.HTTPClient
}

func (o Options) withDefaults() Options {
	if o.InstanceID == "" {
		host, _ := os.Hostname() // without one, the random part still tells it apart
		o.InstanceID = fmt.Sprintf("%s-%d-%s", host, os.Getpid(), rand.Text()[:8])
	}
	if o.Grace <= 0 {
		o.Grace = defaultGrace
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("controller", o.Name)
	if o.HTTPClient == nil {
		o.HTTPClient = client.NewHTTPClient()
	}
	return o
}

// check finds what the server cannot tell; ranges are the server's to check, it names every problem at once.
func (o Options) check() error {
	var problems []error
	require := func(name string, isSet bool) {
		if !isSet {
			problems = append(problems, fmt.Errorf("worker: Options.%s must be set", name))
		}
	}
	require("Server", o.Server != "")
	require("Name", o.Name != "")
	require("Group", o.Group != "")
	require("Kind", o.Kind != "")
	require("Reconciler", o.Reconciler != nil)
	return errors.Join(problems...)
}

func (o Options) registration() *reconcilev1.RegisterRequest {
	return &reconcilev1.RegisterRequest{
		Name: o.Name, InstanceId: o.InstanceID, Language: "go",
		Kinds:    []*reconcilev1.ReconciledKind{{ResourceGroup: o.Group, Kind: o.Kind}},
		ShardIds: o.Shards, Concurrency: int32(o.Concurrency), Finalizer: o.Finalizer,
		PassDeadline: optional(o.PassDeadline), LeaseDuration: optional(o.LeaseDuration),
		ResyncPeriod: optional(o.ResyncPeriod), BackoffBase: optional(o.BackoffBase), BackoffMax: optional(o.BackoffMax),
		PassesPerSecond: o.PassesPerSecond, Burst: int32(o.Burst), KindConcurrency: int32(o.KindConcurrency),
	}
}

func optional(duration time.Duration) *durationpb.Duration {
	if duration == 0 {
		return nil
	}
	return durationpb.New(duration)
}
