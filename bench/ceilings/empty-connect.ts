/**
 * The ceilings of an RPC read: our port and Connect's handlers, and behind them a GetResource that reads nothing. For the name
 * "nothing" it answers an empty message, otherwise always the same resource.
 */
import { create } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ResourceSchema } from "../../gen/reconcile/v1/resource_pb.js";
import { ResourceService } from "../../gen/reconcile/v1/resource_service_pb.js";
import { type AnyRequestListener, OnePort } from "../../src/state-manager/api/one-port.js";
import { widget } from "../load/widgets.js";

const resource = create(ResourceSchema, {
  ...{ key: { resourceGroup: "bench", kind: "widget", namespace: "default", name: "a" }, uid: crypto.randomUUID() },
  ...{ shardId: "s0", generation: 1n, revision: 1n, labels: widget.labels, specJson: JSON.stringify(widget.spec) },
});
const listener = connectNodeAdapter({
  routes: (router) =>
    void router.service(ResourceService, {
      getResource: ({ key }) => (key?.name === "nothing" ? {} : { resource }),
    }),
});
// The adapter answers requests of both classes; its own type says so with other words.
const port = new OnePort(listener as AnyRequestListener);
await port.listen(Number(process.env.SERVER_PORT), "127.0.0.1");
process.stdout.write(`{"msg":"serving"}\n`);
