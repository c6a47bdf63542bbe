import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, inject, test } from "vitest";
import { createTestDatabase } from "../../../test/support/test-database.ts";
import { createLane, type Lane } from "./lane.ts";
import { isPooled } from "./pooler.ts";

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

/** Stands before a Postgres as a pooler does: refuses connections with one of these start-up parameters, by name, and passes on all others. */
async function refusingPooler(target: string, parameters: readonly string[]): Promise<{ url: string; refused: () => number }> {
  let refused = 0;
  const address = new URL(target);
  const behindPort = Number(address.port);
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (first: Buffer) => {
      const parameter = parameters.find((name) => first.includes(`${name}\0`));
      if (parameter !== undefined) {
        refused += 1;
        const fields = Buffer.from(`SFATAL\0C08P01\0Munsupported startup parameter: ${parameter}\0\0`);
        const head = Buffer.alloc(5, "E");
        head.writeInt32BE(fields.length + 4, 1);
        socket.end(Buffer.concat([head, fields]));
        return;
      }
      const behind = connect(behindPort, address.hostname);
      sockets.add(behind);
      behind.on("error", () => {}).on("close", () => socket.destroy());
      behind.write(first);
      socket.pipe(behind).pipe(socket);
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  address.port = String((server.address() as { port: number }).port);
  return { url: address.href, refused: () => refused };
}

describe("a lane behind a pooler", () => {
  test("goes on without the start-up parameter that is refused; the process is told once", async () => {
    const database = await createTestDatabase();
    const pooler = await refusingPooler(database.appUrl, ["statement_timeout"]);
    expect(await openLane(pooler.url, 5_000).rows("select $1::integer as n", [7])).toEqual([{ n: 7 }]);
    expect(await openLane(pooler.url, 5_000).values("select $1::integer as n", [8])).toEqual([[8]]);
    expect([pooler.refused(), isPooled(pooler.url), isPooled(database.appUrl)]).toEqual([1, true, false]);
    const groups: unknown[][][] = [];
    const lane = openLane(pooler.url, 5_000);
    await lane.stream("select n from generate_series(1, 3) n", [], 2, 1_000, async (rows) => void groups.push(rows));
    expect(groups).toEqual([[[1], [2]], [[3]]]);
    expect((await lane.rows("show statement_timeout", []))[0]?.["statement_timeout"]).toBe("0");
    await Promise.all(lanes.splice(0).map((one) => one.close()));
    await database.drop();
  });

  test("names the cause where a parameter is refused that it cannot do without", async () => {
    const pooler = await refusingPooler("postgres://nobody@127.0.0.1:1/nothing", ["statement_timeout", "application_name"]);
    await expect(openLane(pooler.url, 5_000).rows("select 1", [])).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: "a pooler before the database refuses a start-up parameter (docs/operations.md, PgBouncer)",
    });
    expect(pooler.refused()).toBe(2);
  });
});
