import { seededRandom } from "../../src/cli/kit/seeded-random.ts";
import { BEHAVIOURS, type Behaviour } from "../../src/psp-simulator/scripts.ts";

/** An order that the storm places; amounts are minor units. */
export interface StormOrder {
  readonly key: string;
  readonly userId: string;
  readonly items: readonly { readonly serviceId: string; readonly amountMinor: bigint }[];
  /** The number of the card that pays the order; without a card the wallet pays. */
  readonly cardNumber?: string;
  /** True for an order that is placed as a purchase, of its first item's amount. */
  readonly asPurchase: boolean;
  /** How long after its placing the order is cancelled; undefined for an order that is not. */
  readonly cancelAfterMs?: number;
  /** Whether the client waits for the outcome. */
  readonly waits: boolean;
}

export const STORM_SERVICES = ["storm-hosting", "storm-support", "storm-training"] as const;
export const RICH_MINOR = 100_000_000n;
export const POOR_MINOR = 500n;

const AS_MEANT: ReadonlySet<Behaviour> = new Set(["approve", "decline", "insufficient-funds"]);
/** The behaviours that are faults: all but approving and declining. */
export const TROUBLE: readonly Behaviour[] = BEHAVIOURS.filter((behaviour) => !AS_MEANT.has(behaviour));

const GOOD_CARDS = ["4242424242424242", "4111111111111111", "5555555555554444", "2200000000000004"] as const;
/** Cards for cases that are rare by chance, with the share of orders that each pays. */
const SPECIAL_CARDS: readonly (readonly [number: string, share: number])[] = [
  ["4000000000000002", 0.04],
  ["4000000000000101", 0.03],
  ["4000000000000804", 0.01],
  ["4000000000001109", 0.02],
];
/** A card that is captured without an answer: an order that is cancelled then has a capture to refund. */
const CHARGED_SILENTLY = "4000000000000507";

/** The orders of a seed: half by card, half by wallet, one to four lines, one in eight cancelled at some moment. */
export function planStorm(options: { readonly orders: number; readonly seed: number }): StormOrder[] {
  const random = seededRandom(options.seed);
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const users = Math.max(2, Math.ceil(options.orders / 10));
  return Array.from({ length: options.orders }, (_, n): StormOrder => {
    const byCard = n % 2 === 0;
    // The first orders make sure that a short storm sees every kind too.
    const cancelled = n % 8 === (byCard ? 2 : 3);
    const items = Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
      serviceId: pick(STORM_SERVICES),
      amountMinor: 100n + BigInt(Math.floor(random() * 4_900)),
    }));
    const poor = !byCard && n % 10 === 5;
    const whose = `${poor ? "storm-poor" : "storm-rich"}-${Math.floor(random() * users)}`;
    const cardNumber = !byCard
      ? undefined
      : cancelled && random() < 0.5
        ? CHARGED_SILENTLY
        : n === 4
          ? "4000000000000002"
          : cardOf(random(), pick);
    // An order paid from the wallet ends within milliseconds.
    const delayMs = !byCard ? random() * 20 : cardNumber === CHARGED_SILENTLY ? 300 + random() * 900 : random() * 600;
    return {
      key: `storm-${options.seed}-${n}`,
      userId: whose,
      items,
      ...(cardNumber === undefined ? {} : { cardNumber }),
      asPurchase: byCard && !cancelled && n % 10 === 0,
      ...(cancelled ? { cancelAfterMs: Math.round(delayMs) } : {}),
      waits: !cancelled && random() < 0.5,
    };
  });
}

function cardOf(draw: number, pick: (items: readonly string[]) => string): string {
  let left = draw;
  for (const [number, share] of SPECIAL_CARDS) {
    if (left < share) return number;
    left -= share;
  }
  return pick(GOOD_CARDS);
}
