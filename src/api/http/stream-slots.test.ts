import { expect, it } from "vitest";
import { createStreamSlots } from "./stream-slots.ts";

const codeOf = (code: string) => expect.objectContaining({ code }) as Error;

it("no subject has more streams than its share, and all together not more than there are places", () => {
  const slots = createStreamSlots({ perSubject: 2, inAll: 3 });
  const giveBack = slots.take("anna");
  slots.take("anna");
  expect(() => slots.take("anna")).toThrow(codeOf("RATE_LIMITED"));
  slots.take("boris");
  expect(() => slots.take("clara")).toThrow(codeOf("UNAVAILABLE"));
  giveBack();
  giveBack();
  slots.take("clara");
  expect(() => slots.take("dora")).toThrow(codeOf("UNAVAILABLE"));
});
