// Package client reads and writes resources of a state-manager.
//
// It does not try again: a reconciler that returns the error is run again after back-off, and other callers know better how
// long to go on. [IsUnavailable] says when trying again may help. Errors are [connect.Error]; [Reason] reads the server's.
package client

import (
	"context"
	"fmt"
	"iter"

	"connectrpc.com/connect"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
	"reconcile-toolkit/clients/go/gen/reconcile/v1/reconcilev1connect"
	"reconcile-toolkit/clients/go/internal/jsonvalue"
)

const asJSON = reconcilev1.PayloadEncoding_PAYLOAD_ENCODING_JSON

// Client calls one state-manager. It may be used by several goroutines.
type Client struct {
	resources   reconcilev1connect.ResourceServiceClient
	reconcilers reconcilev1connect.ReconcilerServiceClient
}

// New returns a client of the state-manager at a base URL, for example http://127.0.0.1:8080. Nil takes [NewHTTPClient].
func New(server string, httpClient connect.HTTPClient) *Client {
	if httpClient == nil {
		httpClient = NewHTTPClient()
	}
	return &Client{
		resources:   reconcilev1connect.NewResourceServiceClient(httpClient, server),
		reconcilers: reconcilev1connect.NewReconcilerServiceClient(httpClient, server),
	}
}

// Desired is the state a user wants: what [Client.Create] and [Client.Apply] write.
type Desired struct {
	// Key names the resource.
	Key Key
	// ShardID is the partition; required.
	ShardID string
	// Labels and Annotations replace all stored ones.
	Labels, Annotations map[string]string
	// Finalizers replaces all; Apply leaves them as they are when it is empty.
	Finalizers []string
	// Spec is marshalled as JSON; json.RawMessage is written as it is. NaN, infinities and text that is not UTF-8 are errors.
	Spec any
	// Owner is the resource it belongs to; nil leaves the stored one.
	Owner *Owner
}

func (d Desired) wire() (*reconcilev1.ResourceInput, error) {
	spec, err := jsonvalue.Marshal("spec", d.Spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Key, err)
	}
	input := &reconcilev1.ResourceInput{
		Key: d.Key.wire(), ShardId: d.ShardID, Labels: d.Labels, Annotations: d.Annotations,
		Finalizers: d.Finalizers, SpecJson: spec,
	}
	if d.Owner != nil {
		input.Owner = &reconcilev1.Owner{
			ResourceGroup: d.Owner.Group, Kind: d.Owner.Kind, Name: d.Owner.Name, Uid: d.Owner.UID,
		}
	}
	return input, nil
}

// Get reads one resource; see [IsNotFound].
func (c *Client) Get(ctx context.Context, key Key) (*Resource, error) {
	answer, err := c.resources.GetResource(ctx, &reconcilev1.GetResourceRequest{Key: key.wire(), PayloadEncoding: asJSON})
	if err != nil {
		return nil, err
	}
	return FromWire(answer.GetResource()), nil
}

// Create writes a new resource; see [IsAlreadyExists].
func (c *Client) Create(ctx context.Context, desired Desired) (*Resource, error) {
	input, err := desired.wire()
	if err != nil {
		return nil, err
	}
	request := &reconcilev1.CreateResourceRequest{Resource: input, PayloadEncoding: asJSON}
	answer, err := c.resources.CreateResource(ctx, request)
	if err != nil {
		return nil, err
	}
	return FromWire(answer.GetResource()), nil
}

// Apply creates or updates a resource and writes nothing when nothing differs. Safe to repeat.
func (c *Client) Apply(ctx context.Context, desired Desired) (*Resource, error) {
	input, err := desired.wire()
	if err != nil {
		return nil, err
	}
	request := &reconcilev1.ApplyResourceRequest{Resource: input, PayloadEncoding: asJSON}
	answer, err := c.resources.ApplyResource(ctx, request)
	if err != nil {
		return nil, err
	}
	return FromWire(answer.GetResource()), nil
}

// Delete requests the deletion and says whether the resource is gone already, that is, no finalizer holds it.
func (c *Client) Delete(ctx context.Context, key Key) (removed bool, err error) {
	request := &reconcilev1.DeleteResourceRequest{Key: key.wire(), PayloadEncoding: asJSON}
	answer, err := c.resources.DeleteResource(ctx, request)
	return answer.GetRemoved(), err
}

// Enqueue asks for a pass now, with words that the reconciler gets as its message; up to 1,024 characters.
func (c *Client) Enqueue(ctx context.Context, key Key, message string) error {
	_, err := c.reconcilers.Enqueue(ctx, &reconcilev1.EnqueueRequest{Key: key.wire(), Message: message})
	return err
}

// Filter selects resources; an empty field matches everything.
type Filter struct {
	// Group, Kind, Namespace, Name, ShardID and OwnerUID match exactly.
	Group, Kind, Namespace, Name, ShardID, OwnerUID string
	// LabelSelector, for example `tier in (web, api), env in (prod)`.
	LabelSelector string
}

// List yields the matching resources in the order of their creation, page by page; an error ends it.
func (c *Client) List(ctx context.Context, filter Filter) iter.Seq2[*Resource, error] {
	return func(yield func(*Resource, error) bool) {
		request := &reconcilev1.ListResourcesRequest{
			Filter: &reconcilev1.ResourceFilter{
				ResourceGroup: filter.Group, Kind: filter.Kind, Namespace: filter.Namespace, Name: filter.Name,
				ShardId: filter.ShardID, LabelSelector: filter.LabelSelector, OwnerUid: filter.OwnerUID,
			},
			PayloadEncoding: asJSON,
		}
		for token, isFirst := "", true; isFirst || token != ""; isFirst = false {
			request.PageToken = token
			page, err := c.resources.ListResources(ctx, request)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, resource := range page.GetResources() {
				if !yield(FromWire(resource), nil) {
					return
				}
			}
			token = page.GetNextPageToken()
		}
	}
}
