import { expect, it } from "vitest";
import { createStreamPlaces } from "./stream-slots.ts";

const codeOf = (code: string) => expect.objectContaining({ code }) as Error;

it("no subject has more streams than its share, and all together not more than there are places", () => {
  const places = createStreamPlaces({ perSubject: 2, inAll: 3 });
  const giveBack = places.take("anna");
  places.take("anna");
  expect(() => places.take("anna")).toThrow(codeOf("RATE_LIMITED"));
  places.take("boris");
  expect(() => places.take("clara")).toThrow(codeOf("UNAVAILABLE"));
  giveBack();
  giveBack();
  places.take("clara");
  expect(() => places.take("dora")).toThrow(codeOf("UNAVAILABLE"));
});
