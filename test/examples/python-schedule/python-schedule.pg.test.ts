import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientResource, createResourceClient, type ResourceClient } from "../../../src/client/index.js";
import { findCondition } from "../../../src/controlloop/index.js";
import { hasPython, type PythonProgram, startPython } from "../../support/python.js";
import { startServer, type TestServer } from "../../support/server.js";
import { until } from "../../support/until.js";

/** Made by clients/python/check.sh. */
const PYTHON = "clients/python/.venv/bin/python";
const EXAMPLE = "examples/python-schedule/main.py";
const EVERY_SECOND = "* * * * * *";
const LIMIT_MS = 20_000;

interface ScheduleStatus {
  readonly lastScheduleTime: string | null;
  readonly nextScheduleTime: string | null;
  readonly active: readonly string[];
}

const isThere = hasPython(PYTHON, "reconcile_toolkit", "croniter");
describe.skipIf(!isThere)(
  "schedule example (skipped without clients/python/.venv: run clients/python/check.sh)",
  () => {
    let server: TestServer;
    let client: ResourceClient;
    let example: PythonProgram;
    beforeAll(async () => {
      server = await startServer();
      client = createResourceClient(server.url);
      example = startPython(PYTHON, EXAMPLE, { RECONCILE_SERVER: server.url });
    });
    afterAll(async () => {
      await example.stop("SIGKILL");
      client.close();
      await server.stop();
    });

    test("makes a resource at each time, keeps the newest, and makes none while suspended", {
      timeout: 3 * LIMIT_MS,
    }, async () => {
      const template = { kind: "report", labels: { team: "a" }, spec: { rows: 10 } };
      const key = await schedule("often", { cron: EVERY_SECOND, historyLimit: 2, template });
      const seen = new Set<string>();
      await until(
        async () => {
          for (const { key } of await made("report")) seen.add(key.name);
          return seen.size >= 4;
        },
        { timeoutMs: LIMIT_MS, what: `four reports; the example said: ${example.output()}` },
      );
      const [report] = await made("report");
      expect(report).toMatchObject({ spec: { rows: 10 }, key: { resourceGroup: "examples", namespace: "default" } });
      expect(report?.labels.get("team")).toBe("a");

      await client.apply({ key, spec: { cron: EVERY_SECOND, historyLimit: 2, template, suspend: true } });
      const suspended = await settled(key, (status) => status.nextScheduleTime === null);
      const left = (await made("report")).map(({ key }) => key.name);
      expect(left).toHaveLength(2);
      expect(suspended.active).toEqual(left);
      const seconds = Date.parse(suspended.lastScheduleTime ?? "") / 1_000;
      expect(left.at(-1)).toBe(`often-${seconds}`);
    });

    test("waits for the next time of an expression, and makes nothing before", async () => {
      const key = await schedule("yearly", { cron: "0 0 1 1 *", template: { kind: "review" } });
      const status = await settled(key, ({ nextScheduleTime }) => nextScheduleTime !== null);
      const newYear = new Date(Date.UTC(new Date().getUTCFullYear() + 1, 0));
      expect(new Date(status.nextScheduleTime ?? 0)).toEqual(newYear);
      expect(status).toMatchObject({ lastScheduleTime: null, active: [] });
      expect(await made("review")).toEqual([]);
    });

    test.each([
      ["0 0 30 2 *", 3],
      ["61 * * * *", 3],
      ["* * * * *", 0],
    ])("tells what is wrong with %s and a history limit of %d, and does not try again", async (cron, historyLimit) => {
      const key = await schedule(`bad-${historyLimit}-${cron.length}-${cron[0]}`, {
        cron,
        historyLimit,
        template: { kind: "never" },
      });
      const resource = await until(async () => {
        const found = await client.get(key);
        return found?.observedGeneration === 1n && found;
      });
      expect(findCondition(resource, "Ready")).toMatchObject({ status: "False", reason: "InvalidSpec" });
    });

    async function schedule(name: string, spec: unknown) {
      const key = { resourceGroup: "examples", kind: "schedule", namespace: "default", name };
      await client.apply({ key, spec });
      return key;
    }

    async function settled(key: ClientResource["key"], check: (status: ScheduleStatus) => boolean) {
      return until(
        async () => {
          const resource = await client.get<unknown, ScheduleStatus>(key);
          if (!resource?.status || resource.observedGeneration !== resource.generation) return false;
          return check(resource.status) && resource.status;
        },
        { timeoutMs: LIMIT_MS },
      );
    }

    async function made(kind: string): Promise<ClientResource[]> {
      const found: ClientResource[] = [];
      for await (const resource of client.list({ resourceGroup: "examples", kind })) found.push(resource);
      return found;
    }
  },
);
