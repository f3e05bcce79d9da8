import { expect, it } from "vitest";
import { similarWord } from "../../src/shared/similar-word.js";

const KNOWN = ["file", "process", "website", "job"];

it.each([
  ["webiste", "website"],
  ["websites", "website"],
  ["Website", "website"],
  ["proces", "process"],
  ["jbo", "job"],
  ["tree", undefined],
  ["jab1", undefined],
  ["", undefined],
])("%s is probably %s", (word, expected) => {
  expect(similarWord(word, KNOWN)).toBe(expected);
});
