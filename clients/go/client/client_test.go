package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	reconcilev1 "reconcile-toolkit/clients/go/gen/reconcile/v1"
	"reconcile-toolkit/clients/go/gen/reconcile/v1/reconcilev1connect"
)

// fakeResources answers as the server does, over real cleartext HTTP/2.
type fakeResources struct {
	reconcilev1connect.UnimplementedResourceServiceHandler
	applied *reconcilev1.ApplyResourceRequest
}

func newTestClient(t *testing.T) (*Client, *fakeResources) {
	fake := &fakeResources{}
	mux := http.NewServeMux()
	mux.Handle(reconcilev1connect.NewResourceServiceHandler(fake))
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return New(server.URL+"/", nil), fake
}

func (f *fakeResources) ApplyResource(
	_ context.Context, request *reconcilev1.ApplyResourceRequest,
) (*reconcilev1.ApplyResourceResponse, error) {
	f.applied = request
	input := request.GetResource()
	return &reconcilev1.ApplyResourceResponse{Resource: &reconcilev1.Resource{
		Key: input.GetKey(), Uid: "u1", SpecJson: input.GetSpecJson(), Owner: input.GetOwner(), Generation: 3,
	}}, nil
}

func (f *fakeResources) GetResource(
	context.Context, *reconcilev1.GetResourceRequest,
) (*reconcilev1.GetResourceResponse, error) {
	err := connect.NewError(connect.CodeNotFound, errors.New("no such resource"))
	detail, _ := connect.NewErrorDetail(&reconcilev1.ErrorDetail{Reason: "NOT_FOUND"})
	err.AddDetail(detail)
	return nil, err
}

func (f *fakeResources) DeleteResource(
	context.Context, *reconcilev1.DeleteResourceRequest,
) (*reconcilev1.DeleteResourceResponse, error) {
	panic(http.ErrAbortHandler) // the stream breaks without an answer
}

func (f *fakeResources) ListResources(
	_ context.Context, request *reconcilev1.ListResourcesRequest,
) (*reconcilev1.ListResourcesResponse, error) {
	page := map[string]int{"": 0, "1": 1, "2": 2}[request.GetPageToken()]
	answer := &reconcilev1.ListResourcesResponse{NextPageToken: []string{"1", "2", ""}[page]}
	if page != 1 { // a page may be empty and not the last
		key := &reconcilev1.ResourceKey{Name: fmt.Sprintf("%s-%d", request.GetFilter().GetKind(), page)}
		answer.Resources = []*reconcilev1.Resource{{Key: key}}
	}
	return answer, nil
}

func TestAppliesAChildOfItsOwner(t *testing.T) {
	client, fake := newTestClient(t)
	owner := &Resource{Key: Key{Group: "demo", Kind: "parent", Namespace: "default", Name: "p"}, UID: "u0"}
	child, err := client.Apply(t.Context(), Desired{
		Key: Key{Group: "demo", Kind: "child", Namespace: "default", Name: "c"}, ShardID: "default",
		Labels: map[string]string{"a": "b"}, Spec: map[string]int{"size": 1}, Owner: owner.AsOwner(),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &reconcilev1.ResourceInput{
		Key:     &reconcilev1.ResourceKey{ResourceGroup: "demo", Kind: "child", Namespace: "default", Name: "c"},
		ShardId: "default", Labels: map[string]string{"a": "b"}, SpecJson: `{"size":1}`,
		Owner: &reconcilev1.Owner{ResourceGroup: "demo", Kind: "parent", Name: "p", Uid: "u0"},
	}
	if !proto.Equal(fake.applied.GetResource(), want) {
		t.Errorf("applied %v, want %v", fake.applied.GetResource(), want)
	}
	if child.UID != "u1" || string(child.Spec) != `{"size":1}` || *child.Owner != *owner.AsOwner() || child.IsDeleting() {
		t.Errorf("read %+v", child)
	}
}

func TestListsAllPages(t *testing.T) {
	client, _ := newTestClient(t)
	var names []string
	for resource, err := range client.List(t.Context(), Filter{Kind: "child"}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, resource.Key.Name)
	}
	if fmt.Sprint(names) != "[child-0 child-2]" {
		t.Errorf("listed %v", names)
	}
}

func TestTellsFailuresApart(t *testing.T) {
	client, _ := newTestClient(t)
	_, err := client.Get(t.Context(), Key{})
	if !IsNotFound(err) || IsUnavailable(err) || Reason(err) != "NOT_FOUND" {
		t.Errorf("not found: %v, reason %q", err, Reason(err))
	}
	_, err = client.Delete(t.Context(), Key{})
	if err == nil || !IsUnavailable(err) || IsNotFound(err) {
		t.Errorf("broken connection: %v", err)
	}
	_, err = client.Apply(t.Context(), Desired{Spec: func() {}})
	if err == nil {
		t.Error("a spec that is no JSON was applied")
	}
	if IsUnavailable(nil) {
		t.Error("no error is unavailable")
	}
}

func TestTellsWhetherAFailedWriteMayBeStored(t *testing.T) {
	refused := connect.NewWireError(connect.CodeUnavailable, errors.New("the database is not reachable"))
	detail, _ := connect.NewErrorDetail(&reconcilev1.ErrorDetail{Reason: "STORE_UNAVAILABLE"})
	refused.AddDetail(detail)
	cases := []struct {
		err       error
		isUnknown bool
	}{
		{nil, false},
		{refused, false},
		{connect.NewWireError(connect.CodeAborted, errors.New("revision conflict")), false},
		{connect.NewWireError(connect.CodeUnavailable, errors.New("503 of a proxy")), true},
		{connect.NewError(connect.CodeUnavailable, errors.New("connection refused")), true},
		{connect.NewWireError(connect.CodeDeadlineExceeded, errors.New("too late")), true},
		{context.DeadlineExceeded, true},
		{connect.NewError(connect.CodeInvalidArgument, errors.New("unexpected EOF")), true},
	}
	for _, c := range cases {
		if got := IsOutcomeUnknown(c.err); got != c.isUnknown {
			t.Errorf("IsOutcomeUnknown(%v) = %v", c.err, got)
		}
	}
}
