import { describe, expect, test } from "vitest";
import type { Db } from "../../store/postgres/database.ts";
import { createServiceCheck } from "./known-services.ts";

/** A database that knows these services and counts how often it is asked. */
function databaseOf(known: ReadonlySet<string>): { db: Db; asked: () => number } {
  let asked = 0;
  const rows = () => {
    asked += 1;
    return Promise.resolve([...known].map((id) => ({ id, name: id, createdAt: new Date() })));
  };
  return { db: { select: () => ({ from: () => ({ where: rows }) }) } as unknown as Db, asked: () => asked };
}

const wanted = (serviceId: string) => [{ serviceId, pointer: "/serviceId" }];

describe("the check of services", () => {
  test("remembers for ten seconds what it found", async () => {
    let nowMs = 1_000_000;
    const { db, asked } = databaseOf(new Set(["gig"]));
    const check = createServiceCheck(db, () => nowMs);
    for (let count = 0; count < 5; count += 1) await check(wanted("gig"));
    expect(asked()).toBe(1);
    nowMs += 10_001;
    await check(wanted("gig"));
    expect(asked()).toBe(2);
  });

  test("never remembers that a service is missing", async () => {
    const known = new Set<string>();
    const check = createServiceCheck(databaseOf(known).db);
    await expect(check(wanted("late"))).rejects.toMatchObject({ code: "UNKNOWN_SERVICE", details: { pointer: "/serviceId" } });
    known.add("late");
    await check(wanted("late"));
  });

  test("asks again for a service that was deleted, however lately it was found", async () => {
    const known = new Set(["gone"]);
    const check = createServiceCheck(databaseOf(known).db);
    await check(wanted("gone"));
    known.delete("gone");
    check.forget("gone");
    await expect(check(wanted("gone"))).rejects.toMatchObject({ code: "UNKNOWN_SERVICE" });
  });

  test("lets a deletion wait until what was begun with the service has ended, and not longer than it wants to", async () => {
    const check = createServiceCheck(databaseOf(new Set(["busy"])).db);
    let end: (() => void) | undefined;
    const making = check.during(wanted("busy"), () => new Promise<string>((resolve) => (end = () => resolve("made"))));
    let isUnused = false;
    const waiting = check.untilUnused("busy", 5_000).then(() => (isUnused = true));
    await check.untilUnused("busy", 20);
    expect(isUnused).toBe(false);
    end?.();
    await waiting;
    expect(await making).toBe("made");
    await check.untilUnused("busy", 5_000);
  });

  test("does not remember what it read while the service was being deleted", async () => {
    const known = new Set(["racing"]);
    const check = createServiceCheck(databaseOf(known).db);
    const reading = check(wanted("racing"));
    check.forget("racing");
    known.delete("racing");
    await reading;
    await expect(check(wanted("racing"))).rejects.toMatchObject({ code: "UNKNOWN_SERVICE" });
  });
});
