import pLimit from "p-limit";
import type { Logger } from "pino";
import { hasReason } from "../../resource/errors.js";
import type { Database } from "../store/database.js";
import { CLAIM_COLLECTIONS, type ClaimedRow } from "../store/statements/collections.js";
import type { CommandSink } from "../store/store.js";
import { collectChildren } from "./collect-children.js";

/** What a collector works with. */
export interface CollectorOptions {
  readonly database: Database;
  readonly sink: CommandSink;
  readonly logger: Logger;
}

/** Owners taken on at once, and those of them worked on beside each other: connections are for users first. */
const CLAIMED_MAX = 16;
const CONCURRENT_OWNERS = 4;

/**
 * Commands of all owners in flight at most: less than half a commit batch, so that what users write always finds room in the
 * next one.
 */
const CONCURRENT_COMMANDS = 100;

/**
 * Deals with the children of owners on their way out: deletes them or takes their owner off, by commands like everybody's.
 * It holds no state that matters: what is to be done stands in `collections`, written with what made it necessary. Any number
 * of replicas may collect at once. States: SPEC.md.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #limit = pLimit(CONCURRENT_COMMANDS);
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isWanted = false;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Looks for what is due, now or after the look under way. Never rejects: what fails is due again in some seconds. */
  look(): void {
    this.#isWanted = true;
    if (this.#stopping.signal.aborted) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // Asked for between the last look and here.
      if (this.#isWanted) this.look();
    });
  }

  /** Stops after the pages under way; what is left is due again for another replica. Safe to call twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#isWanted && !this.#stopping.signal.aborted) {
      this.#isWanted = false;
      try {
        // A full house: there may be more.
        if (await this.#collect()) this.#isWanted = true;
      } catch (error) {
        this.#logFailure(error);
      }
    }
  }

  /** Returns whether as much was due as is taken on at once. */
  async #collect(): Promise<boolean> {
    const { database, sink } = this.#options;
    const claimed = await database.query<ClaimedRow>(CLAIM_COLLECTIONS, [CLAIMED_MAX]);
    const limitOwners = pLimit(CONCURRENT_OWNERS);
    const collectOne = async (claim: ClaimedRow) => {
      await collectChildren(claim, {
        database,
        submit: (command) => this.#limit(() => sink.submit(command)),
        signal: this.#stopping.signal,
      }).catch((error: unknown) => this.#logFailure(error, claim));
    };
    await Promise.all(claimed.map((claim) => limitOwners(() => collectOne(claim))));
    return claimed.length === CLAIMED_MAX;
  }

  /** An absent database is reported where it is used. */
  #logFailure(error: unknown, claim?: ClaimedRow): void {
    const { logger } = this.#options;
    const facts = { err: error, ownerUid: claim?.owner_uid };
    if (hasReason(error, "STORE_UNAVAILABLE", "SHUTTING_DOWN", "OVERLOADED")) {
      logger.debug(facts, "children are collected later");
    } else {
      logger.error(facts, "children could not be collected; trying again in some seconds");
    }
  }
}
