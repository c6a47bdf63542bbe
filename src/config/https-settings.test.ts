import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { makeThrowawayCa } from "../../test/support/throwaway-ca.ts";
import { ConfigError, loadConfig } from "../config.ts";
import type { Duties } from "./production-problems.ts";

const folder = mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-https-settings-`));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function problemsOf(environment: Record<string, string>, duties: Duties): readonly string[] {
  try {
    loadConfig(environment, "/nowhere", duties);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

it("refuses files of HTTPS that cannot be used before anything starts, by whoever listens alone", async () => {
  const { cert, key } = await (await makeThrowawayCa(folder)).issue("server", { commonName: "pay.example" });
  const empty = join(folder, "empty.key");
  writeFileSync(empty, "");
  const listens = { listens: true };
  expect(problemsOf({ HTTP_TLS_CERT: cert, HTTP_TLS_KEY: key }, listens)).toEqual([]);
  const wrong = { HTTP_TLS_CERT: join(folder, "none.pem"), HTTP_TLS_KEY: empty };
  expect(problemsOf(wrong, listens)).toEqual([
    "HTTP_TLS_CERT: is a file that cannot be read",
    "HTTP_TLS_KEY: is a file that holds no key in PEM",
  ]);
  expect(problemsOf(wrong, { pays: true })).toEqual([]);
});
