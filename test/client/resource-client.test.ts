import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorDetailSchema } from "../../gen/reconcile/v1/error_pb.js";
import { type GetWorkResponse, ReconcilerService, WorkState } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import {
  type DeleteResourceRequest,
  DeletionPropagation,
  type ForceRemoveFinalizerRequest,
  type ListResourcesRequest,
  ResourceService,
  type UpdateResourceRequest,
} from "../../gen/reconcile/v1/resource_service_pb.js";
import { connectionOver } from "../../src/client/connection.js";
import { ResourceClient } from "../../src/client/resource-client.js";
import type { OwnerReference } from "../../src/client/resource-draft.js";

const KEY = { resourceGroup: "g", kind: "k", namespace: "default", name: "a" };
const OWNER = { resourceGroup: "g", kind: "parent", name: "p", uid: "u-1" };

interface Answers {
  readonly update?: (request: UpdateResourceRequest) => void;
  readonly list?: (request: ListResourcesRequest) => void;
  readonly delete?: (request: DeleteResourceRequest) => void;
  readonly force?: (request: ForceRemoveFinalizerRequest) => void;
  readonly release?: () => void;
  readonly work?: Partial<Omit<GetWorkResponse, "$typeName" | "$unknown">>;
}

/** A client of a server that is told what to do. */
function clientOf(answers: Answers): ResourceClient {
  const resource = { key: KEY, uid: "u-2", owner: OWNER };
  const transport = createRouterTransport(({ service }) => {
    service(ResourceService, {
      updateResource: (request) => {
        answers.update?.(request);
        return { resource };
      },
      listResources: (request) => {
        answers.list?.(request);
        return { resources: [resource] };
      },
      deleteResource: (request) => {
        answers.delete?.(request);
        return { removed: true, resource };
      },
      forceRemoveFinalizer: (request) => {
        answers.force?.(request);
        return { removed: true, resource };
      },
    });
    service(ReconcilerService, {
      releaseQuarantine: () => {
        answers.release?.();
        return {};
      },
      getWork: () => answers.work ?? {},
    });
  });
  return new ResourceClient(connectionOver(transport), 5_000);
}

describe("the owner of a resource", () => {
  async function written(owner: OwnerReference | null | undefined) {
    const requests: UpdateResourceRequest[] = [];
    const client = clientOf({ update: (request) => requests.push(request) });
    const { owner: read } = await client.update({ key: KEY, ...(owner !== undefined && { owner }) });
    expect(read).toEqual(OWNER);
    return requests[0]?.resource?.owner;
  }

  it("is left as it is stored when the draft says nothing of it, and taken off by null", async () => {
    expect(await written(undefined)).toBeUndefined();
    expect(await written(null)).toMatchObject({ resourceGroup: "", kind: "", name: "", uid: "" });
  });

  it("is set with its uid, or whoever has its name", async () => {
    expect(await written(OWNER)).toMatchObject(OWNER);
    const { uid: _, ...named } = OWNER;
    expect(await written(named)).toMatchObject({ ...named, uid: "" });
  });

  it("selects", async () => {
    const uids: (string | undefined)[] = [];
    const client = clientOf({ list: ({ filter }) => uids.push(filter?.ownerUid) });
    for await (const { owner } of client.list({ ownerUid: "u-1" })) expect(owner?.uid).toBe("u-1");
    expect(uids).toEqual(["u-1"]);
  });
});

it("deletes what belongs to a resource in the background unless told otherwise", async () => {
  const asked: [DeletionPropagation, string][] = [];
  const client = clientOf({ delete: ({ propagation, expectedUid }) => asked.push([propagation, expectedUid]) });
  await client.delete(KEY);
  await client.delete(KEY, { propagation: "foreground", uid: "u-2" });
  await client.delete(KEY, { propagation: "orphan" });
  expect(asked).toEqual([
    [DeletionPropagation.BACKGROUND, ""],
    [DeletionPropagation.FOREGROUND, "u-2"],
    [DeletionPropagation.ORPHAN, ""],
  ]);
});

it("forces a finalizer off, guarded by the uid", async () => {
  const asked: ForceRemoveFinalizerRequest[] = [];
  const client = clientOf({ force: (request) => asked.push(request) });
  const { removed, resource } = await client.forceRemoveFinalizer(KEY, "old/hold", "its operator is gone", {
    uid: "u-2",
  });
  expect(asked).toMatchObject([{ finalizer: "old/hold", message: "its operator is gone", expectedUid: "u-2" }]);
  expect([removed, resource.uid]).toEqual([true, "u-2"]);
});

it("knows that an earlier try released the quarantine whose answer was lost", async () => {
  const detail = { desc: ErrorDetailSchema, value: { reason: "NOT_QUARANTINED" } };
  const refusal = new ConnectError("it is in none", Code.FailedPrecondition, undefined, [detail]);
  const reset = new ConnectError("reset", Code.Unavailable);
  const errors = [reset, refusal, refusal, reset, refusal];
  const client = clientOf({
    release: () => {
      throw errors.shift();
    },
  });
  await client.releaseQuarantine(KEY);
  await expect(client.releaseQuarantine(KEY)).rejects.toMatchObject({ reason: "NOT_QUARANTINED" });
  // A dry run released nothing.
  await expect(client.releaseQuarantine(KEY, { dryRun: true })).rejects.toMatchObject({ reason: "NOT_QUARANTINED" });
});

it("tells of the work over a resource, in words also where a newer server has others", async () => {
  const work = { state: 99 as WorkState, finalizers: [], ownedResources: 3, reconciler: "r" };
  expect(await clientOf({ work }).getWork(KEY)).toMatchObject({
    state: "UNSPECIFIED",
    item: undefined,
    holder: undefined,
    deletionRequestedAt: undefined,
    ownedResources: 3,
  });
  expect(await clientOf({ work: { state: WorkState.QUARANTINED } }).getWork(KEY)).toMatchObject({
    state: "QUARANTINED",
  });
});
