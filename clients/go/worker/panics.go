package worker

import (
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
)

const (
	// So many frames tell one place from another.
	panicFrames = 16
	// More places than that begin anew.
	maxPanicPlaces = 1_000
)

// panics logs panics of passes, each with its stack when it is the first one of its place: a resource that makes its pass panic
// does so at every retry.
type panics struct {
	mu   sync.Mutex
	seen map[[panicFrames]uintptr]bool
}

// log is called by the deferred function that recovered.
func (p *panics) log(logger *slog.Logger, value string) {
	var place [panicFrames]uintptr
	runtime.Callers(3, place[:]) // without Callers, this function and its caller
	p.mu.Lock()
	isNew := !p.seen[place]
	if p.seen == nil || len(p.seen) >= maxPanicPlaces {
		p.seen = map[[panicFrames]uintptr]bool{}
	}
	p.seen[place] = true
	p.mu.Unlock()
	if isNew {
		logger = logger.With("stack", string(debug.Stack()))
	}
	logger.Error("pass panicked", "panic", value)
}
