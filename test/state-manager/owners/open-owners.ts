/** A store with a collector, and short ways to make families of resources in it. */
import type { Command, DeletionPropagation } from "../../../src/resource/command.js";
import type { Owner } from "../../../src/resource/owner.js";
import type { Resource } from "../../../src/resource/resource.js";
import { createLogger } from "../../../src/state-manager/observability/logger.js";
import { Collector } from "../../../src/state-manager/owners/collector.js";
import { openStore, type PostgresStore } from "../../../src/state-manager/store/postgres-store.js";
import type { CommandResult } from "../../../src/state-manager/store/store.js";
import { createDatabase } from "../../support/postgres.js";
import { thing, thingKey } from "../../support/things.js";

/** How a resource of a family is made. */
interface Member {
  readonly owner?: Resource | undefined;
  readonly finalizers?: readonly string[];
  /** Its own by default: with several logs a family is spread over them. */
  readonly shardId?: string;
}

/** A family's store. */
export interface Owners extends PostgresStore {
  readonly collector: Collector;
  create(name: string, member?: Member): Promise<Resource>;
  get(name: string): Promise<Resource | undefined>;
  remove(name: string, propagation?: DeletionPropagation): Promise<CommandResult>;
  /** Replaces the desired state; the owner stays unless one is given. */
  write(name: string, changes?: { owner?: Owner | null; finalizers?: readonly string[] }): Promise<CommandResult>;
  sql<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Collections that are not done. */
  collections(): Promise<number>;
  /** Resources below nobody: their owner is gone. */
  waifs(): Promise<number>;
}

/** Opens a fresh store; its collector looks after every commit that asks for it, unless `isCollecting` is false. */
export async function openOwners(logCount: number, options: { isCollecting?: boolean } = {}): Promise<Owners> {
  const { url, drop } = await createDatabase();
  const isCollecting = options.isCollecting ?? true;
  const store = await openStore({
    databaseUrl: url,
    logCount,
    commitConcurrency: logCount,
    onCommitted: async (batch) => {
      if (isCollecting && batch.isCollecting) collector.look();
    },
  });
  const collector = new Collector({ database: store.database, sink: store.sink, logger: createLogger("error") });
  const submit = (command: Command) => store.sink.submit(command);
  const sql = <Row>(text: string, values: readonly unknown[] = []) =>
    store.database.query<Row>({ name: "test", text, isPrepared: false }, values);
  const count = async (from: string) => Number((await sql<{ n: bigint }>(`SELECT count(*) AS n FROM ${from}`))[0]?.n);
  return {
    ...store,
    collector,
    sql,
    get: (name) => store.reader.get(thingKey(name)),
    async create(name, { owner, finalizers = [], shardId = `shard-${name}` } = {}) {
      const input = thing(name, { shardId, finalizers, owner: owner && ownerOf(owner) });
      const { resource } = await submit({ type: "create", input });
      if (resource === undefined) throw new Error("create returns the resource");
      return resource;
    },
    remove: (name, propagation) => submit({ type: "delete", key: thingKey(name), expected: {}, propagation }),
    async write(name, changes = {}) {
      const current = await store.reader.get(thingKey(name));
      if (current === undefined) throw new Error(`${name} does not exist`);
      const { key, shardId, labels, annotations, finalizers, specJson } = current;
      const input = { key, shardId, labels, annotations, finalizers, specJson, ...changes };
      return submit({ type: "update", input, expected: {} });
    },
    collections: () => count("collections"),
    waifs: () =>
      count(`resources c WHERE owner_uid IS NOT NULL AND NOT EXISTS (
      SELECT FROM resources o WHERE o.uid = c.owner_uid)`),
    async close() {
      await collector.stop();
      await store.close();
      await drop();
    },
  };
}

/** The owner field that names `resource`. */
export function ownerOf({ key, uid }: Resource): Owner {
  return { resourceGroup: key.resourceGroup, kind: key.kind, name: key.name, uid };
}

/** The reason a command was refused with. */
export function reasonOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "accepted",
    (error: unknown) => (error instanceof Error && "reason" in error ? String(error.reason) : String(error)),
  );
}
