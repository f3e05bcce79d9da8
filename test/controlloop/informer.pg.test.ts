import { afterAll, beforeAll, expect, expectTypeOf, it, onTestFinished } from "vitest";
import { type ClientResource, createResourceClient, type ResourceClient } from "../../src/client/index.js";
import { createInformer } from "../../src/controlloop/index.js";
import { until } from "../support/until.js";
import { openServer, type RestartableServer } from "./open-server.js";

interface Spec {
  readonly node: string;
}

let server: RestartableServer;
let client: ResourceClient;
let kinds = 0;
beforeAll(async () => {
  server = await openServer();
  client = createResourceClient(server.url);
});
afterAll(async () => {
  client.close();
  await server.close();
});

function open(options: { readonly maxResources?: number } = {}) {
  const kind = `pod${++kinds}`;
  const keyOf = (name: string) => ({ resourceGroup: "test", kind, namespace: "default", name });
  const informer = createInformer(
    client,
    { kind },
    { indexes: { byNode: ({ spec }: ClientResource<Spec>) => [spec.node] }, ...options },
  );
  onTestFinished(() => informer.close());
  return {
    informer,
    keyOf,
    create: (name: string, node: string) => client.create({ key: keyOf(name), spec: { node } }),
  };
}

const names = (resources: readonly ClientResource[]) => resources.map(({ key }) => key.name).sort();

it("holds what is there once synced, follows it through a restart of the server, and finds by index", async () => {
  const { informer, keyOf, create } = open();
  expectTypeOf(informer.byIndex).parameter(0).toEqualTypeOf<"byNode">();
  const changes: string[] = [];
  const unsubscribe = informer.onChange(({ type, resource }) => changes.push(`${type} ${resource.key.name}`));
  await create("a", "n1");
  await create("b", "n1");
  await informer.synced();
  await until(() => informer.list().length === 2);
  expect(names(informer.byIndex("byNode", "n1"))).toEqual(["a", "b"]);
  expectTypeOf(informer.get(keyOf("a"))).toEqualTypeOf<ClientResource<Spec> | undefined>();

  await server.stop();
  await server.start();
  await client.apply({ key: keyOf("a"), spec: { node: "n2" } });
  await client.delete(keyOf("b"));
  await until(() => names(informer.list()).join() === "a");
  expect([names(informer.byIndex("byNode", "n1")), names(informer.byIndex("byNode", "n2"))]).toEqual([[], ["a"]]);
  expect(changes).toEqual(["ADDED a", "ADDED b", "MODIFIED a", "DELETED b"]);
  unsubscribe();
  informer.close();
  informer.close();
  expect(names(informer.list())).toEqual(["a"]);
});

it("ends with an error when there is more than it may hold: no read answers with a part of it", async () => {
  const { informer, create } = open({ maxResources: 1 });
  await create("a", "n1");
  await create("b", "n1");
  await until(() => {
    try {
      return void informer.list();
    } catch (error) {
      return error;
    }
  });
  expect(() => informer.list()).toThrow("holds 1 resources");
});

it("says that it is not synced when it is closed before", async () => {
  const { informer } = open();
  informer.close();
  await expect(informer.synced()).rejects.toThrow("closed before it was synced");
});
