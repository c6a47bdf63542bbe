import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { maskCardInIdentity } from "./card-in-ids.ts";
import { looksLikeCardNumber } from "./card.ts";

describe("an id that a client chose", () => {
  it.each(["4111111111111111", "pay-4111 1111 1111 1111", `${randomUUID()}/4111111111111111`, "4111-1111-1111-1111-a"])(
    "holds a card number: %s",
    (id) => {
      expect(looksLikeCardNumber(id)).toBe(true);
    },
  );

  it("holds none in what a machine made, alone or with more around it, whatever that passes for", () => {
    const unlucky = "4f0e9a4b-4111-1111-1111-111111111ac0";
    for (const uuid of [unlucky, unlucky.replaceAll("-", ""), ...Array.from({ length: 3_000 }, () => randomUUID())])
      for (const id of [uuid, `${uuid}-0`, `order/${uuid}`, `evt_${uuid}:retry`])
        expect([id, looksLikeCardNumber(id)]).toEqual([id, false]);
  });

  it("is shown in a message's permanent key as it is, a card number aside", () => {
    expect(maskCardInIdentity("event:purchases#4111111111111111")).toBe("event:purchases#****1111");
    expect(maskCardInIdentity("event:purchases#shop-17-4711")).toBe("event:purchases#shop-17-4711");
  });
});
