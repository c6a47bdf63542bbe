import { inWords } from "../../base/money.ts";
import type { ReservationFact } from "../../store/reservations/reservation-story.ts";
import type { Language } from "../http/language.ts";

interface Words {
  readonly hold: (sum: string, serviceId: string, orderId: string) => string;
  readonly capture: (sum: string) => string;
  readonly rescue: (sum: string) => string;
  readonly release: (sum: string) => string;
  readonly expiry: (sum: string) => string;
  readonly refused: (act: string, code: string) => string;
  readonly acts: Readonly<Record<"hold" | "capture" | "release" | "expiry", string>>;
  readonly moves: Readonly<Record<"extension" | "pause" | "test-clock", (from: string, to: string) => string>>;
  readonly told: (topic: string) => string;
  readonly willBeTold: (topic: string) => string;
  readonly by: (caller: string) => string;
}

const WORDS: Readonly<Record<Language, Words>> = {
  en: {
    hold: (sum, serviceId, orderId) => `${sum} set aside for service "${serviceId}", order "${orderId}"`,
    capture: (sum) => `${sum} confirmed: the money is revenue`,
    rescue: (sum) => `${sum} confirmed late: taken from the available balance`,
    release: (sum) => `${sum} released on request and available again`,
    expiry: (sum) => `${sum} available again: not confirmed in time`,
    refused: (act, code) => `${act} was refused, reason: ${code}`,
    acts: { hold: "setting the money aside", capture: "a confirmation", release: "a release", expiry: "giving the money back at its end" },
    moves: {
      extension: (from, to) => `extended: held until ${to} and not ${from}`,
      pause: (from, to) => `captures are paused: held until ${to} and not ${from}`,
      "test-clock": (from, to) => `the test clock was moved on: held until ${to} and not ${from}`,
    },
    told: (topic) => `that it expires soon was published to ${topic}`,
    willBeTold: (topic) => `that it expires soon is to be published to ${topic}`,
    by: (caller) => `, asked for by ${caller}`,
  },
  ru: {
    hold: (sum, serviceId, orderId) => `${sum} отложено на услугу «${serviceId}», заказ «${orderId}»`,
    capture: (sum) => `${sum} подтверждено: деньги стали выручкой`,
    rescue: (sum) => `${sum} подтверждено с опозданием: взято из доступных средств`,
    release: (sum) => `${sum} возвращено по запросу и снова доступно`,
    expiry: (sum) => `${sum} снова доступно: не подтверждено вовремя`,
    refused: (act, code) => `отказано: ${act}, причина: ${code}`,
    acts: { hold: "резерв", capture: "подтверждение", release: "снятие резерва", expiry: "возврат по окончании срока" },
    moves: {
      extension: (from, to) => `продлено: до ${to}, было до ${from}`,
      pause: (from, to) => `списания приостановлены: до ${to}, было до ${from}`,
      "test-clock": (from, to) => `тестовые часы переведены: до ${to}, было до ${from}`,
    },
    told: (topic) => `сообщение о скором окончании опубликовано в ${topic}`,
    willBeTold: (topic) => `сообщение о скором окончании будет опубликовано в ${topic}`,
    by: (caller) => `, запросил ${caller}`,
  },
};

/** What a reservation's sentences name. */
export interface ToldReservation {
  readonly serviceId: string;
  readonly orderId: string;
  readonly currency: string;
}

/** One fact of a reservation as a plain sentence. */
export function reservationSentenceOf(
  fact: ReservationFact,
  { serviceId, orderId, currency }: ToldReservation,
  language: Language,
): string {
  const words = WORDS[language];
  switch (fact.kind) {
    case "ledger": {
      const { operation, refusalCode, isRescue, caller } = fact;
      if (refusalCode !== undefined) return `${words.refused(words.acts[operation], refusalCode)}${words.by(caller)}`;
      const sum = inWords(fact.amountMinor, currency);
      if (operation === "hold") return `${words.hold(sum, serviceId, orderId)}${words.by(caller)}`;
      if (operation === "expiry") return words.expiry(sum);
      return `${isRescue ? words.rescue(sum) : words[operation](sum)}${words.by(caller)}`;
    }
    case "move":
      return words.moves[fact.move](fact.previousEnd.toISOString(), fact.newEnd.toISOString());
    case "message":
      return fact.published ? words.told(fact.topic) : words.willBeTold(fact.topic);
  }
}
