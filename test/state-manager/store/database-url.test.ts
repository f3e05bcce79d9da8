import { expect, test } from "vitest";
import { databaseUrlProblems, formatOptions, splitOptions } from "../../../src/state-manager/store/database-url.js";

const problemsOf = (query: string) => databaseUrlProblems(`postgres://u:s3cret@h/d?${query}`);

test("options are read as PostgreSQL reads them, and written so that it reads the same", () => {
  const { url, options } = splitOptions(
    `postgres://u@h/d?sslmode=disable&options=${encodeURIComponent("-c a=1 -cb.c=x\\ y --search-path=p,q -c e=")}`,
  );
  expect(url).toBe("postgres://u@h/d?sslmode=disable");
  expect(options).toEqual([
    { name: "a", value: "1" },
    { name: "b.c", value: "x y" },
    { name: "search_path", value: "p,q" },
    { name: "e", value: "" },
  ]);
  expect(formatOptions(options)).toBe("-c a=1 -c b.c=x\\ y -c search_path=p,q -c e=");
  expect(splitOptions("postgres://u@h/d")).toEqual({ url: "postgres://u@h/d", options: [] });
});

test("what contradicts the session the server needs is refused, naming the setting and no value", () => {
  expect(problemsOf("options=-c%20Lock_Timeout%3D0%20-c%20work_mem%3D1MB")).toEqual([
    "DATABASE_URL: options must not set lock_timeout: the server needs 3s; remove it",
  ]);
  expect(problemsOf("options=-c%20jit%3Doff&application_name=mine&sslmode=disable&client_encoding=utf8")).toEqual([]);
  expect(problemsOf("options=-d%205")).toEqual([
    "DATABASE_URL: options must be written as -c name=value, separated by spaces",
  ]);
  expect(problemsOf("statement_timeout=0&client_encoding=latin1")).toEqual([
    "DATABASE_URL must not have the parameter statement_timeout: the server sets it itself; remove it",
    "DATABASE_URL: client_encoding must be UTF8; remove it",
  ]);
});
