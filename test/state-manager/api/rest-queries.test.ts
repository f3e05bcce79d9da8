import { describe, expect, it } from "vitest";
import {
  decodeDeleteOptions,
  decodeHistoryQuery,
  decodeNoQuery,
  decodeReleaseOptions,
  decodeWatchQuery,
  decodeWriteOptions,
} from "../../../src/state-manager/api/rest-queries.js";

const key = { resourceGroup: "apps", kind: "Widget", namespace: "default", name: "a" };
const ALL =
  "resource_group, kind, namespace, name, shard_id, owner_uid, label_selector, send_initial_state, resume_token";

describe("decodeWatchQuery", () => {
  it("reads what the documents name", () => {
    expect(decodeWatchQuery("kind=a+b%20%C3%BC&namespace=&send_initial_state=t&resume_token=")).toMatchObject({
      filter: { kind: "a b ü", namespace: undefined },
      sendInitialState: true,
      resumeToken: undefined,
    });
    for (const word of ["0", "f", "F", "false", "FALSE", "False"])
      expect(decodeWatchQuery(`send_initial_state=${word}`).sendInitialState).toBe(false);
    expect(decodeWatchQuery("").sendInitialState).toBe(false);
    expect(decodeWatchQuery("&&kind=x&").filter.kind).toBe("x");
  });

  it.each<[string, string]>([
    ["send_initial_state=yes", 'send_initial_state must be true or false (got "yes")'],
    ["send_initial_state", 'send_initial_state must be true or false (got "")'],
    [
      "sendInitialState=true",
      `sendInitialState is not a parameter of this path; did you mean send_initial_state? it takes ${ALL}`,
    ],
    ["knid=website", `knid is not a parameter of this path; did you mean kind? it takes ${ALL}`],
    ["group=apps", `group is not a parameter of this path; it takes ${ALL}`],
    ["=x", ` is not a parameter of this path; it takes ${ALL}`],
    ["kind=a&kind=b", "kind must be given only once"],
    ["kind=%FF", 'kind must be percent-encoded UTF-8 (got "%FF"); write a percent sign as %25'],
    ["kind=100%", 'kind must be percent-encoded UTF-8 (got "100%"); write a percent sign as %25'],
    ["%FF=1", '%FF must be percent-encoded UTF-8 (got "%FF"); write a percent sign as %25'],
    ["kind=%00", "kind must not contain the NUL character; remove it"],
    ["owner_uid=x", "owner_uid must be a uid"],
  ])("refuses ?%s instead of watching something else", (search, message) => {
    expect(() => decodeWatchQuery(search)).toThrow(message);
  });
});

describe("the queries of other paths", () => {
  it("of history: a page size is a number, and nothing else is taken", () => {
    expect(decodeHistoryQuery(key, "page_size=3&page_token=t")).toMatchObject({ limit: 3, pageToken: "t" });
    expect(decodeHistoryQuery(key, "page_size=")).toMatchObject({ limit: 50, pageToken: "" });
    expect(() => decodeHistoryQuery(key, "page_size=all")).toThrow('page_size must be a whole number (got "all")');
    expect(() => decodeHistoryQuery(key, "page_size=-1")).toThrow("page_size must be 0 to 1000");
    expect(() => decodeHistoryQuery(key, "limit=3")).toThrow("limit is not a parameter of this path");
    expect(() => decodeHistoryQuery(key, "page_tokn=t")).toThrow("did you mean page_token?");
  });

  it("of kinds and work: there is none", () => {
    decodeNoQuery("");
    expect(() => decodeNoQuery("kind=a")).toThrow("kind is not a parameter: this path takes none; remove it");
  });

  it("of release: a misspelt dry run releases nothing", () => {
    expect(decodeReleaseOptions("dry_run=1")).toEqual({ dryRun: true });
    expect(() => decodeReleaseOptions("x=1")).toThrow("x is not a parameter of this path; it takes dry_run");
  });

  it("of writes: a misspelt dry run does not write, and what clients of before send is ignored", () => {
    expect(decodeWriteOptions("pretty=%FF&x=1&x=2")).toEqual({ dryRun: false });
    expect(decodeWriteOptions("dry%5Frun=true")).toEqual({ dryRun: true });
    for (const misspelt of ["dryrun=true", "dry-run=true", "dryRun=All", "Dry_Run=true", "dry%2Drun=true"])
      expect(() => decodeWriteOptions(misspelt)).toThrow("did you mean dry_run?");
    for (const word of ["yes", "%FF", "", "true&dry_run=false"])
      expect(() => decodeWriteOptions(`dry_run=${word}`)).toThrow(/^dry_run must be/);
    expect(decodeDeleteOptions("propagation=orphan&dry_run=t")).toEqual({ dryRun: true, propagation: "ORPHAN" });
    expect(decodeDeleteOptions("")).toEqual({ dryRun: false, propagation: "BACKGROUND" });
    expect(() => decodeDeleteOptions("propogation=orphan")).toThrow("did you mean propagation?");
    expect(() => decodeDeleteOptions("propagation=all")).toThrow(
      "propagation must be background, foreground or orphan",
    );
  });
});
