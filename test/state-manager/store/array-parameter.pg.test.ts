import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arrayParameter, type Scalar } from "../../../src/state-manager/store/array-parameter.js";
import { Database } from "../../../src/state-manager/store/database.js";
import { createDatabase } from "../../support/postgres.js";

const now = new Date("2024-02-29T23:59:59.999Z");
const id = "0b5cbb3e-6c5c-4cf0-9d6b-6f0d1ff0a1b2";

describe("an array parameter", () => {
  let database: Database;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const created = await createDatabase();
    drop = created.drop;
    database = new Database({ url: created.url });
  });
  afterAll(async () => {
    await database.close();
    await drop();
  });

  it.each<[string, readonly Scalar[], readonly unknown[]]>([
    [
      "text",
      ["", "plain", 'a "quoted" \\ {x,y} NULL', "NULL", "ü€😀", null],
      ["", "plain", 'a "quoted" \\ {x,y} NULL', "NULL", "ü€😀", null],
    ],
    ["json", ['{"b": 1.0, "a": "\\\\ü"}', null], ['{"b": 1.0, "a": "\\\\ü"}', null]],
    ["jsonb", ['{"k":"\\"v\\""}', "{}"], [{ k: '"v"' }, {}]],
    [
      "bigint",
      [-9223372036854775808n, 9223372036854775807n, null],
      [-9223372036854775808n, 9223372036854775807n, null],
    ],
    ["smallint", [0, 63], [0, 63]],
    ["integer", [-2147483648, 2147483647], [-2147483648, 2147483647]],
    ["boolean", [true, false, null], [true, false, null]],
    ["timestamptz", [now.toISOString(), null], [now, null]],
    ["uuid", [id], [id]],
    ["text", [], []],
    ["bigint", [], []],
  ])("arrives as it was, case %#: %s", async (type, values, expected) => {
    const statement = {
      name: `echo-${type}`,
      text: `SELECT x FROM unnest($1::${type}[]) WITH ORDINALITY AS t (x, n) ORDER BY n`,
    };
    const rows = await database.query<{ x: unknown }>(statement, [arrayParameter(type, values)]);
    expect(rows.map(({ x }) => x)).toEqual(expected);
  });
});
