import { randomInt } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import type { ResourceKey } from "../../../src/resource/key.js";
import { KEY_MAX_BYTES } from "../../../src/resource/limits.js";
import { openTestStore } from "../../support/store.js";
import { thing } from "../../support/things.js";

/** Characters of four bytes that PostgreSQL cannot compress. */
function emoji(bytes: number): string {
  return Array.from({ length: bytes / 4 }, () => String.fromCodePoint(randomInt(0x1f300, 0x1f600))).join("");
}

function key(bytes: number): ResourceKey {
  return { resourceGroup: emoji(1_000), kind: emoji(1_000), namespace: emoji(bytes - 2_100), name: emoji(100) };
}

test("the largest key fits every index, and a larger one is refused naming the field and the limit", async () => {
  const store = await openTestStore();
  onTestFinished(() => store.close());
  const create = (bytes: number) =>
    store.sink.submit({ type: "create", input: { ...thing("a"), key: key(bytes), finalizers: ["f"] } });
  const { outcome, resource } = await create(KEY_MAX_BYTES);
  expect(outcome).toBe("CREATED");
  expect(await store.reader.get(resource?.key ?? key(0))).toEqual(resource);
  await expect(create(KEY_MAX_BYTES + 4)).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    field: "name",
    message:
      "name must be shorter: resource_group, kind, namespace and name take 2564 bytes of UTF-8 together, the limit is 2560",
  });
});
