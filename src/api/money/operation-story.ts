import { ERROR_CATALOGUE, isErrorCode } from "../../base/errors.ts";
import { inWords } from "../../base/money.ts";
import type { OperationKind } from "../../domain/ledger/operations.ts";
import type { OperationRecord } from "../../store/ledger/operations.ts";
import type { Language } from "../http/language.ts";

/** What a sentence may name. Names are quoted, as they may be any text. */
interface Names {
  readonly sum: string;
  readonly user: string;
  readonly peer: string;
  readonly service: string;
  readonly hold: string;
}

interface Words {
  readonly kinds: Readonly<Record<OperationKind, (names: Names) => string>>;
  readonly refused: (what: string, reason: string) => string;
  readonly order: (orderId: string) => string;
  readonly comment: (comment: string) => string;
  readonly byEvent: (place: string) => string;
  readonly byWorkflow: (workflowId: string) => string;
  readonly byRequest: (caller: string, correlationId: string) => string;
  readonly time: (effective: string, recorded: string) => string;
}

const ENGLISH: Words = {
  kinds: {
    deposit: ({ sum, user }) => `${sum} came in from outside to the balance of user ${user}.`,
    withdrawal: ({ sum, user }) => `${sum} was paid out from the balance of user ${user}.`,
    transfer: ({ sum, user, peer }) => `${sum} went from user ${user} to user ${peer}.`,
    hold: ({ sum, user, service, hold }) => `${sum} of user ${user} was set aside for service ${service} (reservation ${hold}).`,
    capture: ({ sum, user, service, hold }) =>
      `${sum} that was set aside by user ${user} (reservation ${hold}) paid for service ${service}.`,
    release: ({ sum, user, hold }) =>
      `${sum} that was set aside by user ${user} (reservation ${hold}) was released and is available again.`,
    expiry: ({ sum, user, hold }) => `The time of reservation ${hold} passed, and its ${sum} is available to user ${user} again.`,
    charge: ({ sum, user, service }) => `User ${user} paid ${sum} for service ${service}.`,
    refund: ({ sum, user, service }) => `User ${user} got ${sum} back for service ${service}.`,
    accrual: ({ sum, user }) => `${sum} was credited to user ${user}.`,
    redemption: ({ sum, user }) => `User ${user} redeemed ${sum}.`,
    dispute: ({ sum, user }) => `The card's bank took ${sum} back that user ${user} had paid (a dispute).`,
    dispute_reversal: ({ sum, user }) => `The card's bank returned ${sum} that it had taken back from a payment of user ${user}.`,
    refund_reversal: ({ sum, user }) => `A refund of ${sum} did not reach user ${user} and is revenue again.`,
  },
  refused: (what, reason) => `This was asked and refused, so nothing moved: ${reason} What was asked: ${what}`,
  order: (orderId) => `It belongs to order ${orderId}.`,
  comment: (comment) => `Where from and what for: ${comment}.`,
  byEvent: (place) => `It came from the Kafka message ${place}.`,
  byWorkflow: (workflowId) => `The workflow ${workflowId} did it.`,
  byRequest: (caller, correlationId) => `${caller} asked for it (correlation id ${correlationId}).`,
  time: (effective, recorded) =>
    effective === recorded ? `Recorded at ${recorded}.` : `It happened at ${effective} and was recorded at ${recorded}.`,
};

const RUSSIAN: Words = {
  kinds: {
    deposit: ({ sum, user }) => `На баланс пользователя ${user} поступило ${sum}.`,
    withdrawal: ({ sum, user }) => `С баланса пользователя ${user} выведено ${sum}.`,
    transfer: ({ sum, user, peer }) => `Пользователь ${user} перевёл пользователю ${peer} ${sum}.`,
    hold: ({ sum, user, service, hold }) => `У пользователя ${user} зарезервировано ${sum} на услугу ${service} (резерв ${hold}).`,
    capture: ({ sum, user, service, hold }) =>
      `Зарезервированные пользователем ${user} ${sum} (резерв ${hold}) пошли в оплату услуги ${service}.`,
    release: ({ sum, user, hold }) => `Резерв ${hold} снят, ${sum} снова доступны пользователю ${user}.`,
    expiry: ({ sum, user, hold }) => `Срок резерва ${hold} истёк, ${sum} снова доступны пользователю ${user}.`,
    charge: ({ sum, user, service }) => `Пользователь ${user} заплатил ${sum} за услугу ${service}.`,
    refund: ({ sum, user, service }) => `Пользователю ${user} возвращено ${sum} за услугу ${service}.`,
    accrual: ({ sum, user }) => `Пользователю ${user} начислено ${sum}.`,
    redemption: ({ sum, user }) => `Пользователь ${user} списал ${sum}.`,
    dispute: ({ sum, user }) => `Банк карты забрал ${sum}, уплаченные пользователем ${user} (оспаривание).`,
    dispute_reversal: ({ sum, user }) => `Банк карты вернул ${sum}, забранные из платежа пользователя ${user}.`,
    refund_reversal: ({ sum, user }) => `Возврат ${sum} не дошёл до пользователя ${user} и снова стал выручкой.`,
  },
  refused: (what, reason) => `В этом было отказано, деньги не двигались: ${reason} Что просили: ${what}`,
  order: (orderId) => `Относится к заказу ${orderId}.`,
  comment: (comment) => `Откуда и зачем: ${comment}.`,
  byEvent: (place) => `Пришло сообщением Kafka ${place}.`,
  byWorkflow: (workflowId) => `Выполнил процесс ${workflowId}.`,
  byRequest: (caller, correlationId) => `Запросил ${caller} (correlation id ${correlationId}).`,
  time: (effective, recorded) => (effective === recorded ? `Записано ${recorded}.` : `Произошло ${effective}, записано ${recorded}.`),
};

const REFUSALS_IN_RUSSIAN: Readonly<Record<string, string>> = {
  INSUFFICIENT_FUNDS: "доступных средств не хватает.",
  ALREADY_CONFIRMED: "резерв уже подтверждён.",
  ALREADY_RELEASED: "резерв уже снят.",
  RESERVATION_EXPIRED: "срок резерва истёк.",
  RESERVATION_NOT_FOUND: "такого резерва нет.",
  AMOUNT_EXCEEDS_HOLD: "сумма больше остатка резерва.",
};

/** An operation as a short story for a person: who, how much, what for, and which workflow, message or request it came from. */
export function tellOperation(operation: OperationRecord, language: Language): string {
  const words = language === "ru" ? RUSSIAN : ENGLISH;
  const { refusalCode, orderId, position, workflowId, comment } = operation;
  const what = words.kinds[operation.kind]({
    sum: inWords(operation.amountMinor, operation.currency),
    user: quoted(operation.userId),
    peer: quoted(operation.peerUserId),
    service: quoted(operation.serviceId),
    hold: quoted(operation.holdId),
  });
  return [
    refusalCode === undefined ? what : words.refused(what, refusalIn(language, refusalCode)),
    ...(orderId === undefined ? [] : [words.order(quoted(orderId))]),
    ...(comment === "" ? [] : [words.comment(comment.replace(/\.+$/, ""))]),
    ...(position === undefined ? [] : [words.byEvent(`${position.topic}/${position.partition}/${position.offset}`)]),
    ...(workflowId === undefined ? [] : [words.byWorkflow(workflowId)]),
    ...(position === undefined ? [words.byRequest(quoted(operation.caller), operation.correlationId)] : []),
    words.time(operation.effectiveAt.toISOString(), operation.recordedAt.toISOString()),
  ].join(" ");
}

function refusalIn(language: Language, code: string): string {
  const title = isErrorCode(code) ? ERROR_CATALOGUE[code].title : code;
  return language === "ru" ? (REFUSALS_IN_RUSSIAN[code] ?? title) : title;
}

function quoted(name: string | undefined): string {
  return name === undefined ? "—" : `"${name}"`;
}
