import { afterEach, expect, test } from "vitest";
import { until } from "../../../test/support/until.ts";
import { StackError } from "../stack-error.ts";
import { keepServer, type KeepTimes, type ServerEvent } from "./keep-server.ts";
import type { ServerProcess } from "./process.ts";

let events: ServerEvent[] = [];
let stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  [events, stops] = [[], []];
});

type FakeServer = ServerProcess & { readonly die: (cause: string) => void; readonly wasStopped: () => boolean };

function fakeServer(pid: number): FakeServer {
  let die = (_cause: string) => {};
  let stopped = false;
  const exited = new Promise<string>((resolve) => (die = resolve));
  return {
    pid,
    exited,
    die,
    hasExited: () => false,
    logText: () => "",
    logFile: "/tmp/redis.log",
    stop: async () => void (stopped = true),
    wasStopped: () => stopped,
  };
}

async function keep(launch: (place: number, signal: AbortSignal) => Promise<FakeServer>, times: Partial<KeepTimes> = {}) {
  const launched: FakeServer[] = [];
  let count = 0;
  const stop = await keepServer({
    server: "redis",
    launch: async (signal) => {
      const server = await launch((count += 1), signal);
      launched.push(server);
      return server;
    },
    onEvent: (event) => events.push(event),
    times: { minBackoffMs: 10, ...times },
  });
  stops.push(stop);
  return { launched, stop };
}

const waits = () => events.map(({ detail }) => Number(/again in (\d+) ms/.exec(detail)?.[1])).filter((ms) => !Number.isNaN(ms));

test("a server that ends is started again, and both are said in a sentence", async () => {
  const { launched } = await keep(async (place) => fakeServer(place));
  launched[0]?.die("signal SIGKILL");
  await until("it runs again", () => launched.length === 2 && events.length === 2);
  expect(events).toMatchObject([
    { server: "redis", state: "down", detail: "Redis ended (signal SIGKILL; log: /tmp/redis.log); it is started again in 10 ms." },
    { server: "redis", state: "back", detail: expect.stringMatching(/^Redis runs again after \d\.\d s \(process 2\)\.$/) },
  ]);
});

test("one that cannot be started again waits twice as long each time, up to the bound, and is never given up", async () => {
  const { launched } = await keep(
    async (place) => {
      if (place > 1 && place < 6) throw new StackError("SERVER_FAILED", "Redis ended while it started.");
      return fakeServer(place);
    },
    { maxBackoffMs: 40 },
  );
  launched[0]?.die("exit code 1");
  await until("it runs again", () => launched.length === 2);
  expect(waits()).toEqual([10, 20, 40, 40, 40]);
});

test("one that lived long enough is started again after the shortest wait", async () => {
  const { launched } = await keep(async (place) => fakeServer(place), { healthyAfterMs: 0 });
  for (const place of [0, 1, 2]) {
    launched[place]?.die("signal SIGKILL");
    await until("it runs again", () => launched.length === place + 2);
  }
  expect(waits()).toEqual([10, 10, 10]);
});

test("a server that is stopped stays stopped, also when it was about to be started again", async () => {
  const { launched, stop } = await keep(async (place) => fakeServer(place), { minBackoffMs: 200 });
  launched[0]?.die("signal SIGKILL");
  await until("its end is known", () => events.length === 1);
  await stop();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(launched).toHaveLength(1);
});

test("a start under way is given up at the order to stop", async () => {
  const { launched, stop } = await keep(async (place, signal) => {
    if (place > 1)
      await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new StackError("STOPPED", "Stopped."))));
    return fakeServer(place);
  });
  launched[0]?.die("signal SIGKILL");
  await until("its end is known", () => events.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await stop();
  expect(launched).toHaveLength(1);
  expect(events.map(({ state }) => state)).toEqual(["down"]);
});

test("a first start that fails is the caller's", async () => {
  await expect(keep(() => Promise.reject(new StackError("SERVER_FAILED", "no")))).rejects.toMatchObject({ code: "SERVER_FAILED" });
});
