import pg from "pg";
import type { Contender } from "../compare.js";

/** As many as 64 connections can have waiting for one commit. */
const BATCH = 64;
const ROW = JSON.stringify({ replicas: 3, text: "x".repeat(950) });
const TABLES = `
CREATE TABLE bare_resources (id bigserial PRIMARY KEY, name text NOT NULL UNIQUE, labels jsonb NOT NULL, spec json NOT NULL);
CREATE TABLE bare_events (revision bigserial PRIMARY KEY, body json NOT NULL);
CREATE TABLE bare_work (name text PRIMARY KEY, due_at timestamptz NOT NULL DEFAULT now())`;
const INSERT = `
WITH resources AS (
  INSERT INTO bare_resources (name, labels, spec) SELECT name, '{"tier": "web", "zone": "a"}', $2::json FROM unnest($1::text[]) name),
events AS (INSERT INTO bare_events (body) SELECT $2::json FROM unnest($1::text[]))
INSERT INTO bare_work (name) SELECT unnest($1::text[])`;

/**
 * The ceiling of batched writes: one connection inserts resources, events and work items, 64 of each in a transaction, and does
 * nothing else: no HTTP, no reading, no decision.
 */
export async function bareInserts(databaseUrl: string): Promise<Contender> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  client.on("error", () => {}); // Its database is dropped at the end.
  await client.query(TABLES);
  let inserted = 0;
  return {
    who: "bare inserts",
    async round(seconds) {
      const [startedAt, before] = [performance.now(), inserted];
      while (performance.now() - startedAt < seconds * 1000) {
        const names = Array.from({ length: BATCH }, () => `bare-${inserted++}`);
        await client.query({ name: "bare", text: INSERT, values: [names, ROW] });
      }
      return { "requests/s": ((inserted - before) * 1000) / (performance.now() - startedAt) };
    },
  };
}
