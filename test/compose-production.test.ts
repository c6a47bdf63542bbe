import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../src/config.ts";
import { environmentBy, EXAMPLE, production } from "./support/compose-files.ts";
import { makeThrowawayCa } from "./support/throwaway-ca.ts";

const DUTIES = {
  api: { listens: true, pays: true },
  worker: { pays: true },
  bridge: { pays: true },
  relay: {},
  migrate: {},
  psp: { plays: true },
};

test("two commands start the developer's compose, and the file of production adds no weak default and starts no simulator unless asked", () => {
  const environmentOf = (role: string, withProduction: boolean) => environmentBy(EXAMPLE, role, withProduction);
  for (const [role, duty] of Object.entries(DUTIES)) {
    expect(() => loadConfig(environmentOf(role, false), "/nonexistent", duty), role).not.toThrow();
    const strict = () => loadConfig(environmentOf(role, true), "/nonexistent", duty);
    expect(strict, role).toThrow(role === "psp" ? /PSP_API_KEY: is an example/ : /DATABASE_URL: has a password that is an example/);
    if ("pays" in duty) expect(strict, role).toThrow(/PSP_KIND: names no payment provider/);
    expect(environmentOf(role, true)["NODE_ENV"], role).toBe("production");
  }
  expect(() => loadConfig(environmentOf("api", true), "/nonexistent", DUTIES.api)).toThrow(/HTTP_HOST: is reachable from elsewhere/);
  expect(production.services["psp"]).toMatchObject({ profiles: ["simulator"] });
});

test("a production of compose starts with secrets of its own, paid by Stripe or by a provider at an address, and with no example left over", () => {
  const own = {
    POSTGRES_PASSWORD: "d0c8a1",
    SALDO_DB_PASSWORD: "b5c0f9",
    TEMPORAL_DB_PASSWORD: "e91a07",
    TRUSTED_PROXIES: "172.16.0.0/12",
  };
  const stripe = { PSP_KIND: "stripe", STRIPE_SECRET_KEY: "sk_live_0123456789abcdef", STRIPE_WEBHOOK_SECRETS: "whsec_0123456789abcdef" };
  const elsewhere = { PSP_URL: "https://psp.example", PSP_API_KEY: "0b1c7f8e5d4a39261807" };
  const { psp, ...roles } = DUTIES;
  for (const [role, duty] of Object.entries(roles))
    for (const provider of [stripe, elsewhere]) {
      const environment = environmentBy({ ...EXAMPLE, ...own, ...provider }, role, true);
      expect(() => loadConfig(environment, "/nonexistent", duty), role).not.toThrow();
    }
  const read = loadConfig(environmentBy({ ...EXAMPLE, ...own, ...stripe }, "api", true), "/nonexistent", DUTIES.api);
  expect(read).toMatchObject(stripe);
  const simulated = { ...EXAMPLE, ...own, PSP_KIND: "simulator", PSP_API_KEY: elsewhere.PSP_API_KEY };
  expect(() => loadConfig(environmentBy(simulated, "psp", true), "/nonexistent", psp)).not.toThrow();
  const leftOver = environmentBy({ ...EXAMPLE, ...own, TEMPORAL_DB_PASSWORD: EXAMPLE["TEMPORAL_DB_PASSWORD"] ?? "" }, "migrate", true);
  expect(() => loadConfig(leftOver, "/nonexistent", DUTIES.migrate)).toThrow(/TEMPORAL_DB_PASSWORD: is an example/);
});

test("the health of a production's api is asked over HTTPS where it has a certificate", async () => {
  const folder = mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-health-`));
  const { cert, key } = await (await makeThrowawayCa(folder)).issue("server", { commonName: "pay.example" });
  let status = 200;
  const answer = (_request: unknown, response: ServerResponse) => void response.writeHead(status).end();
  const secure = createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) }, answer);
  const plain = createServer(answer);
  await Promise.all([secure, plain].map((server) => once(server.listen(0, "127.0.0.1"), "listening")));
  const [, ...command] = production.services["api"]?.healthcheck?.test ?? [];
  expect(command[0]).toBe("node");
  const exitCode = async (server: Server, tls: string) => {
    const env = { HTTP_PORT: String((server.address() as AddressInfo).port), HTTP_TLS_CERT: tls };
    return (await once(spawn(process.execPath, command.slice(1), { env }), "exit"))[0] as number;
  };
  try {
    expect(await exitCode(secure, cert)).toBe(0);
    expect(await exitCode(plain, "")).toBe(0);
    expect(await exitCode(plain, cert)).toBe(1);
    status = 503;
    expect(await exitCode(secure, cert)).toBe(1);
  } finally {
    secure.close();
    plain.close();
    rmSync(folder, { recursive: true });
  }
});
