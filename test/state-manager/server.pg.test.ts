import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { createResourceClient } from "../../src/client/index.js";
import { freePort } from "../../src/shared/free-port.js";
import { readConfig } from "../../src/state-manager/config.js";
import { createLogger } from "../../src/state-manager/observability/logger.js";
import { startStateManager } from "../../src/state-manager/server.js";
import { UnfitDatabaseError } from "../../src/state-manager/store/unfit-database.js";
import { createDatabase } from "../support/postgres.js";
import { startServer } from "../support/server.js";
import { startTcpProxy } from "../support/tcp-proxy.js";
import { until } from "../support/until.js";

/** A server whose PostgreSQL is not there yet, and what brings it. */
async function startAway(waitSeconds: number) {
  const { url, drop } = await createDatabase();
  onTestFinished(drop);
  const away = new URL(url);
  away.port = String(await freePort());
  const port = await freePort();
  const { config } = readConfig({ SERVER_PORT: String(port), DATABASE_WAIT_SECONDS: String(waitSeconds) });
  const end = new AbortController();
  const reasons: string[] = [];
  const started = startStateManager({
    config: { ...config, shutdownTimeoutMs: 2_000 },
    secrets: { databaseUrl: away.href, redisUrl: undefined },
    logger: createLogger("silent"),
    signal: end.signal,
    onWaiting: (problem) => reasons.push(problem),
  });
  started.catch(() => {}); // looked at later
  const bring = async () => {
    const target = new URL(url);
    const proxy = await startTcpProxy({ host: target.hostname, port: Number(target.port) }, Number(away.port));
    onTestFinished(() => proxy.close());
  };
  return { started, end, reasons, bring, url: `http://127.0.0.1:${port}` };
}

test("a replica that starts while PostgreSQL is away is live, not ready, says why, and serves when it is there", async () => {
  const { started, reasons, bring, url } = await startAway(60);
  await until(() => reasons.length > 0);
  expect((await fetch(`${url}/health/live`)).status).toBe(200);
  const ready = await fetch(`${url}/health/ready`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    problems: [expect.stringMatching(/^PostgreSQL does not answer \(connect ECONNREFUSED/)],
  });
  const rest = await fetch(`${url}/api/v1/resources`);
  expect([rest.status, rest.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await rest.json()).toMatchObject({
    error: expect.stringMatching(/^the server is starting: PostgreSQL does not/),
  });
  const grpc = await fetch(`${url}/reconcile.v1.ResourceService/GetResource`, {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto" },
  });
  expect(grpc.headers.get("grpc-status")).toBe("14");
  const client = createResourceClient(url);
  onTestFinished(() => client.close());
  const kinds = client.kinds(); // tries again until there is an answer

  await bring();
  const server = await started;
  onTestFinished(() => server.stop());
  expect((await kinds).kinds).toEqual([]);
  expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  expect((await fetch(`${url}/api/v1/resources`)).status).toBe(200);
});

test("its wait is bounded, and ends at once when the server is told to stop", async () => {
  const patient = await startAway(600);
  await until(() => patient.reasons.length > 0);
  patient.end.abort();
  await expect(patient.started).rejects.toThrow(UnfitDatabaseError);

  const bounded = await startAway(1);
  const error = await bounded.started.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UnfitDatabaseError);
  expect(error).toMatchObject({ message: /^PostgreSQL does not answer \(.*\), after 1 s: .*DATABASE_WAIT_SECONDS/ });
});

test("a full disk is 503 with Retry-After, is named by readiness and status, and is over when there is room", async () => {
  const server = await startServer();
  onTestFinished(() => server.stop());
  const admin = new pg.Client({ connectionString: server.databaseUrl });
  await admin.connect();
  admin.on("error", () => {}); // the drop of the database cuts it
  onTestFinished(() => admin.end());
  // What PostgreSQL says when a table cannot grow.
  await admin.query(`
    CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_room()`);
  const create = () =>
    fetch(`${server.url}/api/v1/groups/g/namespaces/n/kinds/k/resources`, {
      method: "POST",
      body: JSON.stringify({ name: "a", shard_id: "s", spec: {} }),
    });
  const refused = await create();
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await refused.text()).toContain("the disk of the database is full");
  expect((await fetch(`${server.url}/api/v1/resources`)).status).toBe(200);
  const ready = async () => (await fetch(`${server.url}/health/ready`)).text();
  await until(async () => (await ready()).includes("not ready: the disk of the database is full"));
  const client = createResourceClient(server.url);
  onTestFinished(() => client.close());
  const { postgres, storeSchema } = await client.serverStatus();
  expect(postgres).toMatchObject({
    state: "FAILING",
    message: expect.stringContaining("disk of the database is full"),
  });
  expect(storeSchema).toBeGreaterThan(0);
  await admin.query("DROP TRIGGER full_disk ON events");
  expect((await create()).status).toBe(201);
  await until(async () => (await ready()).includes('"ready"'));
});
