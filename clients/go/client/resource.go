package client

import (
	"encoding/json"
	"time"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
)

// Key names one resource; every part is 1 to 255 characters.
type Key struct {
	// Group keeps kinds of different makers apart, for example "apps".
	Group string
	// Kind is the type of the resource, for example "website".
	Kind string
	// Namespace is the user's grouping of names, for example "default".
	Namespace string
	// Name is unique within group, kind and namespace.
	Name string
}

// String returns group/kind/namespace/name.
func (k Key) String() string { return k.Group + "/" + k.Kind + "/" + k.Namespace + "/" + k.Name }

func (k Key) wire() *reconcilev1.ResourceKey {
	return &reconcilev1.ResourceKey{ResourceGroup: k.Group, Kind: k.Kind, Namespace: k.Namespace, Name: k.Name}
}

// Owner names the resource another one belongs to, in the same namespace. Without UID, a write means whoever has the name.
type Owner struct {
	// Group, Kind and Name of the owner.
	Group, Kind, Name string
	// UID of the owner: a re-created owner is another one.
	UID string
}

// Resource is a stored resource: what a user declares and what its reconciler reports.
type Resource struct {
	// Key names it.
	Key Key
	// UID is set when the key is created; a re-created key has another one.
	UID string
	// ShardID is the user's partition.
	ShardID string
	// Labels select it; Annotations are free text.
	Labels, Annotations map[string]string
	// Finalizers hold it while its deletion is requested.
	Finalizers []string
	// Owner is the resource it belongs to; nil for none.
	Owner *Owner
	// Spec and Status are the JSON text as it was written; empty when there is none.
	Spec, Status json.RawMessage
	// Generation counts writes of the desired state, ObservedGeneration is the last one that a reconciler finished.
	Generation, ObservedGeneration int64
	// Revision is the log position of the last write.
	Revision int64
	// CreatedAt is when the key was created, UpdatedAt when it was last written.
	CreatedAt, UpdatedAt time.Time
	// DeletionRequestedAt is zero while nobody asked for its deletion.
	DeletionRequestedAt time.Time
}

// IsDeleting says whether its deletion was requested.
func (r *Resource) IsDeleting() bool { return !r.DeletionRequestedAt.IsZero() }

// AsOwner returns what the resources that belong to r have as [Desired].Owner.
func (r *Resource) AsOwner() *Owner {
	return &Owner{Group: r.Key.Group, Kind: r.Key.Kind, Name: r.Key.Name, UID: r.UID}
}

// FromWire reads a resource of an RPC answer that was asked for as JSON text, as leases are.
func FromWire(r *reconcilev1.Resource) *Resource {
	key := r.GetKey()
	read := &Resource{
		Key: Key{
			Group: key.GetResourceGroup(), Kind: key.GetKind(), Namespace: key.GetNamespace(), Name: key.GetName(),
		},
		UID: r.GetUid(), ShardID: r.GetShardId(),
		Labels: r.GetLabels(), Annotations: r.GetAnnotations(), Finalizers: r.GetFinalizers(),
		Spec: json.RawMessage(r.GetSpecJson()), Status: json.RawMessage(r.GetStatusJson()),
		Generation: r.GetGeneration(), ObservedGeneration: r.GetObservedGeneration(), Revision: r.GetRevision(),
	}
	if owner := r.GetOwner(); owner != nil {
		read.Owner = &Owner{
			Group: owner.GetResourceGroup(), Kind: owner.GetKind(), Name: owner.GetName(), UID: owner.GetUid(),
		}
	}
	// AsTime of an unset timestamp is 1970, not the zero time.
	if r.GetCreatedAt() != nil {
		read.CreatedAt = r.GetCreatedAt().AsTime()
	}
	if r.GetUpdatedAt() != nil {
		read.UpdatedAt = r.GetUpdatedAt().AsTime()
	}
	if r.GetDeletionRequestedAt() != nil {
		read.DeletionRequestedAt = r.GetDeletionRequestedAt().AsTime()
	}
	return read
}
