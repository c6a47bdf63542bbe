import { describe, expect, it } from "vitest";
import { createRelayLease } from "./relay-lease.ts";

function bench() {
  let nowMs = 0;
  let isFree = true;
  let asked = 0;
  const lease = createRelayLease({
    takeLease: async () => {
      asked += 1;
      return isFree;
    },
    renewLeaseMs: 5_000,
    nowMs: () => nowMs,
  });
  return {
    lease,
    asked: () => asked,
    at: (ms: number) => (nowMs = ms),
    takenByAnother: () => (isFree = false),
  };
}

describe("the lease of a relay", () => {
  it("is asked for once and not for each batch", async () => {
    const { lease, asked } = bench();
    for (let batch = 0; batch < 100; batch += 1) expect(await lease.isMine()).toBe(true);
    expect(asked()).toBe(1);
  });

  it("is asked for again by a process that stood still, and is then not its own any more", async () => {
    const { lease, at, takenByAnother } = bench();
    await lease.isMine();
    takenByAnother();
    at(9_999);
    expect(await lease.isMine()).toBe(true);
    at(10_000);
    expect(await lease.isMine()).toBe(false);
  });

  it("is renewed while it is held, and given up when a renewal finds another's", async () => {
    const { lease, at, takenByAnother } = bench();
    await lease.isMine();
    at(5_000);
    await lease.renew();
    at(14_999);
    expect(await lease.isMine()).toBe(true);
    takenByAnother();
    await lease.renew();
    expect(await lease.isMine()).toBe(false);
  });

  it("is not taken by a renewal", async () => {
    const { lease, asked } = bench();
    await lease.renew();
    expect(asked()).toBe(0);
  });
});
