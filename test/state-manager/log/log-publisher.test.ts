import { expect, it } from "vitest";
import type { Change } from "../../../src/resource/change.js";
import { LogPublisher } from "../../../src/state-manager/log/log-publisher.js";
import { TestHistory } from "../../support/changes.js";

it("publishes what is submitted in the turn that answers the batch before: it was left until the next one came", async () => {
  const appended: Change[] = [];
  const append = async (run: readonly Change[]) => {
    appended.push(...run);
    return { outcome: "appended", count: run.length } as const;
  };
  const publisher = new LogPublisher({ append, isInHistory: async () => true }, { appended() {}, failed() {} });
  const history = new TestHistory();
  const [first, second] = [history.append(), history.append()];
  await publisher.submit([first]).then(() => publisher.submit([second]));
  expect(appended).toEqual([first, second]);
});
