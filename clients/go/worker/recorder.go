package worker

import (
	"maps"
	"slices"
	"sync"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

// ConditionStatus is the truth of a condition.
type ConditionStatus int

// The truths of a condition.
const (
	Unknown = ConditionStatus(reconcilev1.ConditionStatus_CONDITION_STATUS_UNKNOWN)
	True    = ConditionStatus(reconcilev1.ConditionStatus_CONDITION_STATUS_TRUE)
	False   = ConditionStatus(reconcilev1.ConditionStatus_CONDITION_STATUS_FALSE)
)

// recorder collects what a pass wants stored. Every copy of a Request shares it; a pass may use it from several goroutines.
// The zero value drops everything, so that a test can build a Request by hand.
type recorder struct{ *records }

type records struct {
	mu          sync.Mutex
	conditions  map[string]*reconcilev1.Condition
	finalizers  map[string]bool // true: add, false: remove
	labels      map[string]*reconcilev1.OptionalString
	annotations map[string]*reconcilev1.OptionalString
	isObserved  bool
}

func newRecorder() recorder {
	return recorder{&records{
		conditions:  map[string]*reconcilev1.Condition{},
		finalizers:  map[string]bool{},
		labels:      map[string]*reconcilev1.OptionalString{},
		annotations: map[string]*reconcilev1.OptionalString{},
	}}
}

// SetCondition sets a condition in status.conditions. The reason is one CamelCase word, the message a sentence for people, up
// to 4,096 characters. The last one of a type counts.
func (r recorder) SetCondition(conditionType string, status ConditionStatus, reason, message string) {
	r.edit(func(records *records) {
		records.conditions[conditionType] = &reconcilev1.Condition{
			Type: conditionType, Status: reconcilev1.ConditionStatus(status), Reason: reason, Message: storable(message),
		}
	})
}

// AddFinalizer holds the resource until RemoveFinalizer; the registration's own finalizer comes and goes by itself.
func (r recorder) AddFinalizer(name string) {
	r.edit(func(records *records) { records.finalizers[name] = true })
}

// RemoveFinalizer takes a hold off.
func (r recorder) RemoveFinalizer(name string) {
	r.edit(func(records *records) { records.finalizers[name] = false })
}

// SetLabel sets one label.
func (r recorder) SetLabel(key, value string) {
	r.edit(func(records *records) { records.labels[key] = &reconcilev1.OptionalString{Value: &value} })
}

// RemoveLabel removes one label.
func (r recorder) RemoveLabel(key string) {
	r.edit(func(records *records) { records.labels[key] = &reconcilev1.OptionalString{} })
}

// SetAnnotation sets one annotation.
func (r recorder) SetAnnotation(key, value string) {
	r.edit(func(records *records) { records.annotations[key] = &reconcilev1.OptionalString{Value: &value} })
}

// RemoveAnnotation removes one annotation.
func (r recorder) RemoveAnnotation(key string) {
	r.edit(func(records *records) { records.annotations[key] = &reconcilev1.OptionalString{} })
}

// MarkObserved counts the generation as finished although the pass asks to come back: for reconcilers that poll, whose
// resources would be pending for ever otherwise. A pass that ends with the work done does that by itself.
func (r recorder) MarkObserved() {
	r.edit(func(records *records) { records.isObserved = true })
}

func (r recorder) edit(change func(*records)) {
	if r.records == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r.records)
}

// addTo copies what was recorded into the report, for a pass that may still be writing because it ignores its context.
func (r recorder) addTo(report *reconcilev1.PassReport) {
	r.edit(func(records *records) {
		for _, conditionType := range slices.Sorted(maps.Keys(records.conditions)) {
			report.Conditions = append(report.Conditions, records.conditions[conditionType])
		}
		for _, name := range slices.Sorted(maps.Keys(records.finalizers)) {
			if records.finalizers[name] {
				report.AddFinalizers = append(report.AddFinalizers, name)
			} else {
				report.RemoveFinalizers = append(report.RemoveFinalizers, name)
			}
		}
		report.Labels = maps.Clone(records.labels)
		report.Annotations = maps.Clone(records.annotations)
	})
}

func (r recorder) observed() (isObserved bool) {
	r.edit(func(records *records) { isObserved = records.isObserved })
	return isObserved
}
