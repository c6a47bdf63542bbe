import { maskCardInIdentity } from "../../domain/cards/card-in-ids.ts";
import { maskDigits } from "../../domain/cards/card.ts";
import type { DeadLetterRecord, DeadLetterSummary } from "../../store/events/dead-letter-list.ts";
import type { FoundReceipt } from "../../store/events/receipts.ts";
import { showBytes } from "../http/show-bytes.ts";

/** Where the dead letters are found on this API. */
export const DEAD_LETTERS_PATH = "/api/v1/dead-letters";
/** How much of a key and of a value is read and shown. */
export const MAX_SHOWN_BYTES = 65_536;

/** A dead letter of a list, without its content. */
export function showDeadLetterSummary(letter: DeadLetterSummary) {
  const { redrivenAt, redrivenBy, refusedAgainAt } = letter;
  const isRefusedAgain = redrivenAt !== undefined && refusedAgainAt !== undefined && refusedAgainAt >= redrivenAt;
  return {
    deadLetterId: letter.deadLetterId,
    topic: letter.topic,
    partition: letter.partition,
    offset: letter.offset,
    identity: maskCardInIdentity(letter.identity),
    code: letter.code,
    reason: letter.reason,
    attempts: letter.attempts,
    bytes: letter.bytes,
    recordedAt: letter.recordedAt.toISOString(),
    status: redrivenAt === undefined ? ("waiting" as const) : isRefusedAgain ? ("refused-again" as const) : ("redriven" as const),
    ...(redrivenAt === undefined ? {} : { redrivenAt: redrivenAt.toISOString() }),
    ...(redrivenBy === undefined ? {} : { redrivenBy }),
    links: { self: `${DEAD_LETTERS_PATH}/${letter.deadLetterId}` },
  };
}

/** A dead letter with its content. `receipt` is that of its place, for a dead letter that was sent again. */
export function showDeadLetter(letter: DeadLetterRecord, receipt: FoundReceipt | undefined) {
  const { key, value, headers } = letter;
  return {
    ...showDeadLetterSummary(letter),
    ...(key === undefined ? {} : { key: showBytes(key, key.length === MAX_SHOWN_BYTES) }),
    ...(value === undefined ? {} : { value: showBytes(value, letter.bytes > value.length) }),
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [maskDigits(name), maskDigits(text)])),
    ...(receipt === undefined ? {} : showOutcome(receipt, letter)),
  };
}

// The receipt of the letter's own place says what it became. While that receipt says "dead-lettered", the letter became nothing yet,
// unless it was refused again.
function showOutcome(receipt: FoundReceipt, letter: DeadLetterSummary) {
  const { outcome, operationId, workflowId, code } = receipt;
  if (outcome === "dead-lettered" && showDeadLetterSummary(letter).status !== "refused-again") return {};
  return {
    outcome: {
      outcome,
      ...(operationId === undefined ? {} : { operationId }),
      ...(workflowId === undefined ? {} : { workflowId }),
      ...(code === undefined ? {} : { code }),
    },
  };
}
