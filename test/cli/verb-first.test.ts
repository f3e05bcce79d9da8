import { expect, it } from "vitest";
import { verbFirst } from "../../src/cli/verb-first.js";

it.each([
  ["-n shop get website", "get -n shop website"],
  ["-A -o json --server http://h get", "get -A -o json --server http://h"],
  ["--namespace=shop --context a describe x/y", "describe --namespace=shop --context a x/y"],
  ["-nshop get x -w", "get -nshop x -w"],
  ["get -n shop x", "get -n shop x"],
  ["--version", "--version"],
  ["-n shop", "-n shop"],
  ["-n shop --help", "-n shop --help"],
  ["-f a.yaml apply", "-f a.yaml apply"],
])("reads %s as %s", (words, expected) => {
  expect(verbFirst(words.split(" ")).join(" ")).toBe(expected);
});
