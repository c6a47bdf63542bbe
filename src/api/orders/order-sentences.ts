import { inWords } from "../../base/money.ts";
import type { OrderFact } from "../../store/orders/order-story.ts";
import type { OrderRecord } from "../../store/orders/orders.ts";
import type { Language } from "../http/language.ts";
import type { CardStep } from "./card-steps.ts";

interface Words {
  readonly states: Readonly<Record<string, string>>;
  readonly operations: Readonly<Record<string, string>>;
  readonly acts: Readonly<Record<string, string>>;
  readonly refunds: Readonly<Record<string, string>>;
  readonly payments: Readonly<Record<CardStep["status"], string>>;
  readonly of: string;
  readonly because: string;
  readonly refused: string;
  readonly by: string;
  readonly told: string;
  readonly willBeTold: string;
  readonly state: string;
  readonly isStuck: string;
  readonly goesOn: string;
  readonly card: string;
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
      capture: "taken from what was held",
      release: "given back to the wallet",
      expiry: "given back to the wallet because the time was over",
      charge: "booked from the payment provider",
      refund: "refunded",
    },
    acts: {
      "order.retry": "asked for what is stuck to be tried again",
      "order.skip": "left undone what was stuck",
      "order.settle": "settled by hand what was stuck",
    },
    refunds: { asked: "a refund was asked for", done: "the refund is done", refused: "the refund was refused" },
    payments: {
      authorised: "was authorised",
      captured: "was charged",
      cancelled: "was released",
      declined: "was declined",
      refunded: "was refunded",
    },
    of: "for",
    because: "because",
    refused: "refused",
    by: "by",
    told: "the world was told of",
    willBeTold: "the world will be told of",
    state: "the state",
    isStuck: "the stuck step",
    goesOn: "the order going on, nothing is stuck",
    card: "the card",
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
      charge: "проведено от платёжного сервиса",
      refund: "возвращено покупателю",
    },
    acts: {
      "order.retry": "просит повторить то, что застряло",
      "order.skip": "пропускает то, что застряло",
      "order.settle": "уладил вручную то, что застряло",
    },
    refunds: { asked: "запрошен возврат", done: "возврат выполнен", refused: "в возврате отказано" },
    payments: {
      authorised: "авторизована",
      captured: "списана",
      cancelled: "разблокирована",
      declined: "отклонена",
      refunded: "возвращена",
    },
    of: "за",
    because: "причина:",
    refused: "отказ",
    by: "—",
    told: "внешним системам сообщено:",
    willBeTold: "внешним системам будет сообщено:",
    state: "состояние",
    isStuck: "застрял шаг",
    goesOn: "заказ идёт дальше, ничего не застряло",
    card: "сумма на карте",
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
      if (fact.refusalCode !== undefined) return `${words.refused}: ${text}, ${words.because} ${fact.refusalCode}`;
      return fact.serviceNames.length === 0 ? `${amount} ${text}` : `${amount} ${text} ${words.of} ${fact.serviceNames.join(", ")}`;
    }
    case "refund":
      return `${words.refunds[fact.status] ?? fact.status}: ${inWords(fact.amountMinor, fact.currency)}, ${words.because} ${fact.reason}`;
    case "act":
      return `${fact.actor} ${words.acts[fact.act] ?? fact.act}, ${words.because} ${fact.reason}`;
    case "message": {
      const told = fact.published ? words.told : words.willBeTold;
      if (fact.stuck === undefined) return `${told} ${words.state} ${fact.sagaState} (${fact.topic})`;
      const what = fact.stuck === null ? words.goesOn : `${words.isStuck} "${fact.stuck}"`;
      return `${told} ${what} (${fact.topic})`;
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
