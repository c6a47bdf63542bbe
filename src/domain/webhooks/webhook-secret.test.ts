import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { makeWebhookSecret, openSecret, sealSecret } from "./webhook-secret.ts";

const key = randomBytes(32);

describe("a webhook's secret", () => {
  it("is 32 random bytes as the convention writes them", () => {
    expect(Buffer.from(makeWebhookSecret().replace("whsec_", ""), "base64")).toHaveLength(32);
    expect(makeWebhookSecret()).not.toBe(makeWebhookSecret());
  });

  it("is kept so that only its own webhook and the right key open it", () => {
    const secret = makeWebhookSecret();
    const sealed = sealSecret(secret, "w1", key);
    expect(sealed).not.toContain(secret.slice(6, 20));
    expect(openSecret(sealed, "w1", key)).toBe(secret);
    for (const attempt of [
      () => openSecret(sealed, "w2", key),
      () => openSecret(sealed, "w1", randomBytes(32)),
      () => openSecret(sealed, "w1", undefined),
    ])
      expect(attempt).toThrow("cannot be opened");
  });

  it("that was kept before a key was configured still opens", () => {
    const secret = makeWebhookSecret();
    expect(openSecret(sealSecret(secret, "w1", undefined), "w1", key)).toBe(secret);
  });
});
