import { keyId, type ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import type { Database } from "./database.js";
import { keyArrays } from "./read-states.js";
import { type ResourceRow, resourceFromRow } from "./resource-row.js";
import { READ_RESOURCES_BY_KEY } from "./statements/resources.js";

/** Keys per statement; more only delays the first. */
const BATCH_MAX_KEYS = 256;
/** Statements in flight; reads that arrive meanwhile gather for the next one. */
const MAX_IN_FLIGHT = 4;

interface WaitingRead {
  readonly key: ResourceKey;
  readonly resolve: (resource: Resource | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads by key, all that arrive in one tick in one statement (2.5). Strong: a read joins only a statement that has not been sent
 * yet, so it sees every write acknowledged before it was asked for.
 */
export class ReadBatcher {
  readonly #database: Database;
  readonly #waiting: WaitingRead[] = [];
  #inFlight = 0;
  #isScheduled = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The stored resource; undefined when there is none. */
  get(key: ResourceKey): Promise<Resource | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#inFlight >= MAX_IN_FLIGHT || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.#read(this.#waiting.splice(0, BATCH_MAX_KEYS));
      this.#schedule();
    });
  }

  async #read(reads: readonly WaitingRead[]): Promise<void> {
    this.#inFlight++;
    try {
      const keys = new Map(reads.map(({ key }) => [keyId(key), key]));
      const rows = await this.#database.query<ResourceRow>(READ_RESOURCES_BY_KEY, keyArrays(keys.values()));
      const found = new Map(rows.map(resourceFromRow).map((resource) => [keyId(resource.key), resource]));
      for (const { key, resolve } of reads) resolve(found.get(keyId(key)));
    } catch (error) {
      for (const { reject } of reads) reject(error);
    } finally {
      this.#inFlight--;
      this.#schedule();
    }
  }
}
