import { z } from "zod";
import {
  amountField,
  commentField,
  currencyField,
  optional,
  ownId,
  storableText,
  subjectId,
  userIdField,
  versionField,
} from "./event-fields.ts";
import { eventJsonSchema, readEvent, readEventAmount, type EventReading, type EventShape } from "./event-reading.ts";

const MAX_WORDS = 500;
const commandField = z.enum(["CHARGE", "REFUND"]);

/** A command of the order side of a saga to its payment side (S1-40). Fields that are not named here are tolerated and never copied. */
const sagaCommandSchema = z
  .object({
    saga_id: subjectId.describe("One CHARGE and one REFUND per saga, for ever."),
    command: commandField.describe("CHARGE takes the amount from the user's wallet, REFUND gives that back."),
    order_id: subjectId,
    user_id: userIdField.describe("Whose wallet."),
    amount: amountField,
    currency: optional(currencyField).describe("Without it DEFAULT_CURRENCY."),
    service_id: optional(subjectId).describe("Whose revenue it is; without it that of `unassigned`."),
    comment: commentField,
    schema_version: versionField,
  })
  .describe("A command to a payment service.");

/** A reply of the payment side (S1-41). Fields that are not named here are tolerated and never copied. */
const sagaReplySchema = z
  .object({
    saga_id: subjectId,
    status: z.enum(["SUCCEEDED", "FAILED"]),
    payment_id: optional(ownId).describe("The payment's id at the payment service."),
    error: optional(storableText(MAX_WORDS)).describe("Why it failed, in words."),
    command: optional(commandField).describe("Which command is answered; without it the CHARGE."),
    schema_version: versionField,
  })
  .describe("A payment service's answer to a command.");

/** A valid command. `amountMinor` is minor units as text. */
export interface SagaCommandEvent {
  readonly sagaId: string;
  readonly command: "CHARGE" | "REFUND";
  readonly orderId: string;
  readonly userId: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly serviceId?: string;
  readonly comment?: string;
}

/** A valid reply. */
export interface SagaReplyEvent {
  readonly sagaId: string;
  readonly status: "SUCCEEDED" | "FAILED";
  readonly command: "CHARGE" | "REFUND" | undefined;
  readonly paymentId?: string;
  readonly error?: string;
}

function commandShape(defaultCurrency: string): EventShape<typeof sagaCommandSchema, SagaCommandEvent> {
  return {
    schema: sagaCommandSchema,
    idField: "",
    toEvent(fields) {
      const currency = fields.currency ?? defaultCurrency;
      const amountMinor = readEventAmount(fields.amount, currency);
      if (typeof amountMinor !== "bigint") return amountMinor;
      return {
        sagaId: fields.saga_id,
        command: fields.command,
        orderId: fields.order_id,
        userId: fields.user_id,
        amountMinor: amountMinor.toString(),
        currency,
        ...(fields.service_id === undefined ? {} : { serviceId: fields.service_id }),
        ...(fields.comment === undefined ? {} : { comment: fields.comment }),
      };
    },
  };
}

const REPLY: EventShape<typeof sagaReplySchema, SagaReplyEvent> = {
  schema: sagaReplySchema,
  idField: "",
  toEvent: ({ saga_id, status, command, payment_id, error }) => ({
    sagaId: saga_id,
    status,
    command,
    ...(payment_id === undefined ? {} : { paymentId: payment_id }),
    ...(error === undefined ? {} : { error }),
  }),
};

/** Reads a message as a saga's command: see `readEvent`. */
export function readSagaCommand(value: Uint8Array | null, timestampMs: number, defaultCurrency: string): EventReading<SagaCommandEvent> {
  return readEvent(commandShape(defaultCurrency), value, timestampMs);
}

/** Reads a message as a saga's reply: see `readEvent`. */
export function readSagaReply(value: Uint8Array | null, timestampMs: number): EventReading<SagaReplyEvent> {
  return readEvent(REPLY, value, timestampMs);
}

/** The JSON Schema of a saga's command. */
export function sagaCommandJsonSchema(): Record<string, unknown> {
  return eventJsonSchema(sagaCommandSchema, "saga-command", "Saga command");
}

/** The JSON Schema of a saga's reply. */
export function sagaReplyJsonSchema(): Record<string, unknown> {
  return eventJsonSchema(sagaReplySchema, "saga-reply", "Saga reply");
}
