import { describe, expect, test } from "vitest";
import { firstPlaceOf, receiptsOfOperation, receiptsOfWorkflow } from "./receipts.ts";

const place = { topic: "purchases", partition: 2, offset: "9007199254740993" };
const redrive = { ...place, origin: { partition: 0, offset: "7" } };
const first = { topic: "purchases", partition: 0, offset: "7" };
const posted = { key: "event:purchases#a", outcome: "done", duplicate: false, operationId: "5" } as const;

describe("the receipts of a message", () => {
  test("are none where its operation names its place", () => {
    expect(receiptsOfOperation(place, posted)).toEqual([]);
    expect(receiptsOfOperation(place, { ...posted, outcome: "refused" })).toEqual([]);
  });

  test("tell a duplicate by the operation of the first message", () => {
    expect(receiptsOfOperation(place, { ...posted, outcome: "refused", duplicate: true })).toEqual([
      { position: place, identity: "event:purchases#a", outcome: "duplicate", operationId: "5" },
    ]);
  });

  test("of a redrive stand at its own place and at its dead letter's", () => {
    const receipt = { identity: "event:purchases#a", outcome: "applied", operationId: "5" };
    expect(receiptsOfOperation(redrive, posted)).toEqual([
      { position: place, ...receipt },
      { position: first, ...receipt },
    ]);
    expect(receiptsOfOperation(redrive, { ...posted, outcome: "refused" }).map(({ outcome }) => outcome)).toEqual(["refused", "refused"]);
    expect([firstPlaceOf(redrive), firstPlaceOf(place)]).toEqual([first, place]);
  });

  test("name the workflow that took the message", () => {
    const taken = { key: "event:orders#a", outcome: "applied", workflowId: "order/a" } as const;
    expect(receiptsOfWorkflow(place, taken)).toEqual([
      { position: place, identity: "event:orders#a", outcome: "started", workflowId: "order/a" },
    ]);
    expect(receiptsOfWorkflow(redrive, { ...taken, outcome: "duplicate", workflowId: undefined })).toEqual([
      { position: place, identity: "event:orders#a", outcome: "duplicate" },
      { position: first, identity: "event:orders#a", outcome: "duplicate" },
    ]);
  });
});
