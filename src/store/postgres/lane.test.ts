import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, inject, test } from "vitest";
import { createLane, type Lane } from "./lane.ts";

const lanes: Lane[] = [];
const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
  await Promise.all(lanes.splice(0).map((lane) => lane.close()));
});

function openLane(url: string, deadlineMs: number): Lane {
  const lane = createLane({ url, name: "test-lane", deadlineMs });
  lanes.push(lane);
  return lane;
}

/** Takes connections and never says a word. */
async function silentServer(): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `postgres://nobody@127.0.0.1:${(server.address() as { port: number }).port}/nothing`;
}

describe("a lane", () => {
  test("counts a call's deadline from when it was asked, not from its turn", async () => {
    const lane = openLane(await silentServer(), 400);
    const startedMs = performance.now();
    const ends = await Promise.all(
      Array.from({ length: 5 }, () =>
        lane.rows("select 1", []).then(
          () => ({ code: "none", ms: 0 }),
          (error: { code: string }) => ({ code: error.code, ms: performance.now() - startedMs }),
        ),
      ),
    );
    expect(ends.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => "DEADLINE_EXCEEDED"));
    // One after the other they would have taken 2,000 ms.
    expect(Math.max(...ends.map(({ ms }) => ms))).toBeLessThan(1_200);
    expect(lane.load()).toBe(0);
  });

  test("runs what is still in time behind a statement that hung, on a connection of its own", async () => {
    const lane = openLane(inject("databaseAdminUrl"), 10_000);
    const slow = lane.rows("select pg_sleep(5)", [], 300);
    const patient = lane.rows("select 7 as seven", [], 5_000);
    await expect(slow).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(await patient).toEqual([{ seven: 7 }]);
    expect(lane.load()).toBe(0);
  });

  test("does not run a statement whose caller has left", async () => {
    const lane = openLane(inject("databaseAdminUrl"), 10_000);
    await lane.rows("create temporary table once_only (n integer)", []);
    const slow = lane.rows("select pg_sleep(1)", [], 5_000);
    const late = lane.rows("insert into once_only values (1)", [], 200);
    await expect(late).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await slow;
    expect(await lane.rows("select count(*)::integer as n from once_only", [])).toEqual([{ n: 0 }]);
  });
});
