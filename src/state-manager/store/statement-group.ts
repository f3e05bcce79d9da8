import pg from "pg";
import { type Parameter, parameterOf } from "./array-parameter.js";
import type { BoundStatement } from "./database.js";

interface Column {
  readonly name: string;
  readonly parse: (text: string) => unknown;
}

type Row = Record<string, unknown>;

/** What the rows of a statement are made of. */
interface Shape {
  readonly columns: readonly Column[];
  /** A row of nulls: copying it is cheaper than making room for one column after the other. */
  readonly blank: Row;
}

const NOTHING: Shape = { columns: [], blank: {} };

/** One statement of a group, and what has come back. */
interface Part {
  readonly name: string;
  readonly text: string;
  readonly values: Parameter[];
  shape: Shape;
  readonly rows: Row[];
}

/** What is prepared, and the shape of its rows: it is described once. */
type Prepared = Pick<Part, "text" | "shape">;

/** By name, on each connection. */
const PREPARED = new WeakMap<pg.Connection, Map<string, Prepared>>();

/**
 * Statements that go to PostgreSQL in one message and come back in one. It stops at the first that fails; outside of BEGIN and
 * COMMIT they are a transaction, committed behind the last. The driver by itself ends every statement with a Sync: each is
 * answered alone then, and to be woken for it costs more than what most statements do.
 *
 * Every statement is prepared with its first use, under its name; or each time when it says so.
 */
export class StatementGroup extends pg.Query {
  readonly #parts: readonly Part[];
  readonly #types: pg.CustomTypesConfig;
  #prepared = new Map<string, Prepared>();
  /** The part that is being answered. */
  #at = 0;
  #failure: unknown;

  /**
   * `settle` is told the first error, or the rows of every statement. Throws when a value is none that a parameter may have;
   * nothing is sent then.
   */
  constructor(
    statements: readonly BoundStatement[],
    types: pg.CustomTypesConfig,
    settle: (error: unknown, rows: Row[][]) => void,
  ) {
    super({ text: "" }, undefined, (error: unknown) =>
      settle(
        error ?? this.#failure,
        this.#parts.map(({ rows }) => rows),
      ),
    );
    this.#types = types;
    this.#parts = statements.map(({ statement: { name, text, isPrepared }, values }) => {
      return {
        name: isPrepared === false ? "" : name,
        text,
        values: values.map(parameterOf),
        shape: NOTHING,
        rows: [],
      };
    });
  }

  /** Called by the driver when it is this group's turn. */
  override submit = (connection: pg.Connection) => {
    this.#prepared = preparedOn(connection);
    const taken = this.#parts.find(({ name, text }) => (this.#prepared.get(name)?.text ?? text) !== text);
    if (taken !== undefined) return new Error(`the statement ${taken.name} was prepared with another text`);
    connection.stream.cork();
    for (const part of this.#parts) {
      const { name, text, values } = part;
      const known = this.#prepared.get(name);
      if (known === undefined) {
        // A group that failed may have prepared it.
        if (name !== "") connection.close({ type: "S", name }, true);
        connection.parse({ name, text, types: [] }, true);
      } else part.shape = known.shape;
      connection.bind({ statement: name, values }, true);
      if (known === undefined) connection.describe({ type: "P", name: "" }, true);
      connection.execute(null, true);
    }
    connection.sync();
    connection.stream.uncork();
    return null;
  };

  /** Called by the driver for a statement that is described. */
  handleRowDescription({ fields }: { readonly fields: readonly pg.FieldDef[] }): void {
    const part = this.#parts[this.#at];
    if (part === undefined) return;
    part.shape = {
      columns: fields.map(({ name, dataTypeID }) => ({ name, parse: this.#types.getTypeParser(dataTypeID, "text") })),
      blank: Object.fromEntries(fields.map(({ name }) => [name, null])),
    };
  }

  /** Called by the driver for every row. */
  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    const part = this.#parts[this.#at];
    if (part === undefined) return;
    const row = { ...part.shape.blank };
    try {
      let i = 0;
      for (const { name, parse } of part.shape.columns) {
        const text = fields[i++];
        if (text != null) row[name] = parse(text);
      }
    } catch (error) {
      this.#failure ??= error;
    }
    part.rows.push(row);
  }

  /** Called by the driver when a statement is done. */
  handleCommandComplete(): void {
    this.#at++;
  }

  /** Called by the driver when all are done, and then only. */
  handleReadyForQuery(): void {
    for (const { name, text, shape } of this.#parts) if (name !== "") this.#prepared.set(name, { text, shape });
    (this as unknown as { callback: (error: unknown) => void }).callback(null);
  }
}

function preparedOn(connection: pg.Connection): Map<string, Prepared> {
  let prepared = PREPARED.get(connection);
  if (prepared === undefined) {
    prepared = new Map();
    PREPARED.set(connection, prepared);
  }
  return prepared;
}
