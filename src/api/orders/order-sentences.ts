import { inWords } from "../../base/money.ts";
import type { DisputeMove } from "../../contract/provider-events.ts";
import type { OrderFact } from "../../store/orders/order-story.ts";
import type { OrderRecord } from "../../store/orders/orders.ts";
import type { Language } from "../http/language.ts";
import type { CardStep } from "./card-steps.ts";

interface Words {
  readonly states: Readonly<Record<string, string>>;
  readonly operations: Readonly<Record<string, string>>;
  readonly acts: Readonly<Record<string, string>>;
  readonly refunds: Readonly<Record<string, string>>;
  readonly disputes: Readonly<Record<DisputeMove, string>>;
  readonly payments: Readonly<Record<CardStep["status"], string>>;
  readonly of: string;
  readonly because: string;
  readonly failed: string;
  readonly published: string;
  readonly willBePublished: string;
  readonly isStuck: string;
  readonly goesOn: string;
  readonly card: string;
  readonly byMessage: string;
  readonly asked: string;
  readonly askedAgain: string;
}

const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    states: {
      STARTED: "the order was created",
      PAYMENT_PENDING: "the money is set aside, the payment is under way",
      COMPLETED: "the order is paid and confirmed",
      COMPENSATING: "the order is being undone",
      FAILED: "the order is cancelled",
    },
    operations: {
      hold: "held in the wallet",
      capture: "paid from the held money",
      release: "given back to the wallet",
      expiry: "given back to the wallet because the time ran out",
      charge: "received from the payment provider",
      refund: "refunded",
      dispute: "taken back by the card's bank",
      dispute_reversal: "returned by the card's bank",
      refund_reversal: "come back, as the refund did not arrive,",
    },
    acts: {
      "order.retry": "asked to retry the stuck step",
      "order.skip": "skipped the stuck step",
      "order.settle": "settled the stuck step by hand",
    },
    refunds: { asked: "a refund was asked for", done: "the refund is done", refused: "the refund was refused" },
    disputes: {
      opened: "the buyer's bank disputes the payment",
      withdrawn: "the disputed money was taken",
      reinstated: "the disputed money was returned",
      closed: "the dispute is closed",
    },
    payments: {
      authorised: "was authorised",
      captured: "was charged",
      cancelled: "was released",
      declined: "was declined",
      refunded: "was refunded",
    },
    of: "for",
    because: "reason:",
    failed: "could not be",
    published: "published to",
    willBePublished: "to be published to",
    isStuck: "stuck in",
    goesOn: "the order goes on, nothing is stuck",
    card: "the card",
    byMessage: "by the Kafka message",
    asked: "the order was asked for by the Kafka message",
    askedAgain: "the order was asked for again by the Kafka message",
  },
  ru: {
    states: {
      STARTED: "заказ создан",
      PAYMENT_PENDING: "деньги отложены, идёт оплата",
      COMPLETED: "заказ оплачен и подтверждён",
      COMPENSATING: "заказ отменяется",
      FAILED: "заказ отменён",
    },
    operations: {
      hold: "отложено в кошельке",
      capture: "списано из отложенного",
      release: "возвращено в кошелёк",
      expiry: "возвращено в кошелёк: время вышло",
      charge: "получено от платёжного сервиса",
      refund: "возвращено покупателю",
      dispute: "забрано банком карты",
      dispute_reversal: "возвращено банком карты",
      refund_reversal: "вернулось: возврат не дошёл",
    },
    acts: {
      "order.retry": "просит повторить застрявший шаг",
      "order.skip": "пропускает застрявший шаг",
      "order.settle": "улаживает застрявший шаг вручную",
    },
    refunds: { asked: "запрошен возврат", done: "возврат выполнен", refused: "в возврате отказано" },
    disputes: {
      opened: "банк покупателя оспаривает платёж",
      withdrawn: "оспоренная сумма списана",
      reinstated: "оспоренная сумма возвращена",
      closed: "спор закрыт",
    },
    payments: {
      authorised: "авторизована",
      captured: "списана",
      cancelled: "разблокирована",
      declined: "отклонена",
      refunded: "возвращена",
    },
    of: "за",
    because: "причина:",
    failed: "не",
    published: "опубликовано в",
    willBePublished: "будет опубликовано в",
    isStuck: "застрял шаг",
    goesOn: "заказ идёт дальше, ничего не застряло",
    card: "сумма на карте",
    byMessage: "сообщением Kafka",
    asked: "заказ запрошен сообщением Kafka",
    askedAgain: "заказ запрошен ещё раз сообщением Kafka",
  },
};

/** One fact as a plain sentence. */
export function sentenceOf(fact: OrderFact, language: Language): string {
  const words = WORDS[language];
  switch (fact.kind) {
    case "state": {
      const text = words.states[fact.sagaState] ?? fact.sagaState;
      return fact.failureMessage === undefined ? text : `${text}, ${words.because} ${fact.failureMessage}`;
    }
    case "ledger": {
      const amount = inWords(fact.amountMinor, fact.currency);
      const text = words.operations[fact.operation] ?? fact.operation;
      if (fact.refusalCode !== undefined) return `${amount} ${words.failed} ${text}, ${words.because} ${fact.refusalCode}`;
      const by = fact.place === undefined ? "" : ` ${words.byMessage} ${fact.place}`;
      return fact.serviceNames.length === 0
        ? `${amount} ${text}${by}`
        : `${amount} ${text} ${words.of} ${fact.serviceNames.join(", ")}${by}`;
    }
    case "request":
      return `${fact.isFirst ? words.asked : words.askedAgain} ${fact.place}`;
    case "refund":
      return `${words.refunds[fact.status] ?? fact.status}: ${inWords(fact.amountMinor, fact.currency)}, ${words.because} ${fact.reason}`;
    case "dispute":
      return `${words.disputes[fact.move]}: ${inWords(fact.amountMinor, fact.currency)}, ${fact.status}, ${words.because} ${fact.reason}`;
    case "act":
      return `${fact.actor} ${words.acts[fact.act] ?? fact.act}, ${words.because} ${fact.reason}`;
    case "message": {
      const published = `${fact.published ? words.published : words.willBePublished} ${fact.topic}`;
      if (fact.dispute !== undefined) return `${published}: ${words.disputes[fact.dispute]}`;
      if (fact.stuck === undefined) return `${published}: ${fact.sagaState}`;
      return fact.stuck === null ? `${published}: ${words.goesOn}` : `${published}: ${words.isStuck} "${fact.stuck}"`;
    }
  }
}

/** One step of a card's payment as a sentence. */
export function cardSentenceOf({ status, amountMinor }: CardStep, { payment, currency }: OrderRecord, language: Language): string {
  const words = WORDS[language];
  const which = [words.card, payment?.brand, payment?.last4 === undefined ? undefined : `****${payment.last4}`]
    .filter((part) => part !== undefined)
    .join(" ");
  const amount = amountMinor > 0n ? `: ${inWords(amountMinor, currency)}` : "";
  return `${which} ${words.payments[status]}${amount}`;
}
