import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { bearer, createAuthClient, openAuthBench, PASSWORD, type AuthBench } from "../support/auth-bench.ts";
import { createMachineClient } from "../support/machine-client.ts";
import { until } from "../support/until.ts";

const COMMAND = fileURLToPath(new URL("../../src/cli/access.ts", import.meta.url));
let bench: AuthBench;
let http: HttpServer;

beforeAll(async () => {
  bench = await openAuthBench();
  http = await listen(bench.api.app, { host: "127.0.0.1", port: 0 });
});
afterAll(async () => {
  await http.close(0);
  await bench.close();
});

const { post, me, loggedIn } = createAuthClient(() => bench);
const { makeKey } = createMachineClient(() => bench.identities.bearer("ops", ["admin"]));

/** With the keys of this machine alone, as an operator runs it. */
function access(...args: string[]): Promise<{ code: number; output: string }> {
  const env = { PATH: process.env["PATH"], AUTH_KEYS_DIR: bench.identities.keysDir, DATA_DIR: "/nonexistent" };
  const all = [...args, "--api", `http://127.0.0.1:${http.port}`];
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", COMMAND, ...all], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
}

describe("the access command", () => {
  it("ends every token and every API key of a subject, and notes who did it and why", async () => {
    const token = await bench.identities.bearer("stolen", ["service"]);
    const key = await makeKey(bench.api, { subject: "stolen" });
    expect([(await me(token)).status, (await me(key.bearer)).status]).toEqual([200, 200]);
    const { code, output } = await access("end", "stolen", "--reason", "the key was in a log");
    expect([code, output]).toEqual([0, expect.stringContaining(`Its API keys ended: ${key.keyId}.`)]);
    for (const headers of [token, key.bearer]) await until("it is refused", async () => (await me(headers)).status === 401);
    const [act] = await bench.sql`select act, actor, reason from acts where subject_id = 'stolen' and act = 'tokens.revoked'`;
    expect(act).toEqual({ act: "tokens.revoked", actor: "access", reason: "the key was in a log" });
  });

  it("disables a login and enables it", async () => {
    const user = await loggedIn();
    expect(await access("disable", user.userId, "--reason", "left")).toMatchObject({ code: 0 });
    expect((await me(bearer(user.accessToken))).status).toBe(401);
    expect((await post("login", { login: user.login, password: PASSWORD })).status).toBe(401);
    const { code, output } = await access("enable", user.userId, "--reason", "back", "--json");
    expect([code, JSON.parse(output)]).toMatchObject([0, { userId: user.userId, disabled: false }]);
    expect((await post("login", { login: user.login, password: PASSWORD })).status).toBe(200);
  });

  it("says what it needs and what the API said, in a sentence", async () => {
    expect(await access("end", "x")).toEqual({ code: 2, output: "access: --reason says why\n" });
    expect(await access("disable", "x", "--reason", "y", "--up-to", "2026-01-01T00:00:00Z")).toMatchObject({ code: 2 });
    expect(await access("disable", "nobody", "--reason", "y")).toMatchObject({
      code: 1,
      output: expect.stringContaining("404 USER_NOT_FOUND"),
    });
  });
});
