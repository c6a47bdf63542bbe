import { formatAmount } from "../money.ts";
import type { OrderFact } from "../store/order-story.ts";
import type { OrderRecord } from "../store/orders.ts";

export type Language = "ru" | "en";

/** The language of the two that the header asks for most; English without a wish. */
export function languageOf(header: string | undefined): Language {
  const wishes = (header ?? "").split(",").map((part) => {
    const [tag = "", ...parameters] = part.trim().toLowerCase().split(";");
    const weight = /^\s*q=([\d.]+)\s*$/.exec(parameters.join(";"))?.[1];
    return { language: tag.split("-")[0], weight: weight === undefined ? 1 : Number(weight) };
  });
  const best = wishes
    .filter(({ language, weight }) => (language === "ru" || language === "en") && weight > 0)
    .toSorted((left, right) => right.weight - left.weight)[0];
  return best?.language === "ru" ? "ru" : "en";
}

interface Words {
  readonly states: Readonly<Record<string, string>>;
  readonly operations: Readonly<Record<string, string>>;
  readonly acts: Readonly<Record<string, string>>;
  readonly refunds: Readonly<Record<string, string>>;
  readonly payments: Readonly<Record<string, string>>;
  readonly of: string;
  readonly because: string;
  readonly refused: string;
  readonly by: string;
  readonly told: string;
  readonly willBeTold: string;
  readonly card: string;
}

const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    states: {
      STARTED: "the order was created",
      PAYMENT_PENDING: "the money is set aside, the payment is under way",
      COMPLETED: "the order is paid and confirmed",
      COMPENSATING: "the order is being undone",
      FAILED: "the order is cancelled, everything is undone",
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
      part_refunded: "was refunded in part",
      refunded: "was refunded",
      pending: "was asked for its consent",
    },
    of: "for",
    because: "because",
    refused: "refused",
    by: "by",
    told: "the world was told of the state",
    willBeTold: "the world will be told of the state",
    card: "the card",
  },
  ru: {
    states: {
      STARTED: "заказ создан",
      PAYMENT_PENDING: "деньги отложены, идёт оплата",
      COMPLETED: "заказ оплачен и подтверждён",
      COMPENSATING: "заказ отменяется",
      FAILED: "заказ отменён, всё возвращено",
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
      part_refunded: "частично возвращена",
      refunded: "возвращена",
      pending: "запрошена",
    },
    of: "за",
    because: "причина:",
    refused: "отказ",
    by: "—",
    told: "внешним системам сообщено состояние",
    willBeTold: "внешним системам будет сообщено состояние",
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
      const amount = money(fact.amountMinor, fact.currency);
      const text = words.operations[fact.operation] ?? fact.operation;
      if (fact.refusalCode !== undefined) return `${words.refused}: ${text}, ${words.because} ${fact.refusalCode}`;
      return fact.serviceNames.length === 0 ? `${amount} ${text}` : `${amount} ${text} ${words.of} ${fact.serviceNames.join(", ")}`;
    }
    case "refund":
      return `${words.refunds[fact.status] ?? fact.status}: ${money(fact.amountMinor, fact.currency)}, ${words.because} ${fact.reason}`;
    case "act":
      return `${fact.actor} ${words.acts[fact.act] ?? fact.act}, ${words.because} ${fact.reason}`;
    case "message":
      return `${fact.published ? words.told : words.willBeTold} ${fact.sagaState} (${fact.topic})`;
  }
}

/** What a card's payment has come to, as a sentence; undefined for a wallet, whose money the ledger tells of. */
export function cardSentenceOf({ payment, currency }: OrderRecord, language: Language): string | undefined {
  if (payment === undefined || payment.method !== "card") return undefined;
  const words = WORDS[language];
  const amountMinor = payment.capturedMinor > 0n ? payment.capturedMinor : payment.authorisedMinor;
  const which = `${words.card} ${payment.brand ?? ""} ****${payment.last4 ?? ""}`.replace("  ", " ");
  return `${which} ${words.payments[payment.status] ?? payment.status}: ${money(amountMinor.toString(), currency)}`;
}

function money(amountMinor: string, currency: string): string {
  return `${formatAmount(BigInt(amountMinor), currency)} ${currency}`;
}
