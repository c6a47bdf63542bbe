import { seededRandom } from "../kit/seeded-random.ts";

/** One thing that a buyer does in the demo. Amounts are minor units. */
export type DemoAction =
  | {
      readonly kind: "order" | "order too expensive" | "order cancelled";
      readonly name: string;
      readonly userId: string;
      readonly items: readonly DemoItem[];
    }
  | {
      readonly kind: "reservation confirmed" | "reservation confirmed in part" | "reservation released" | "reservation left to expire";
      readonly name: string;
      readonly userId: string;
      readonly serviceId: string;
      readonly amountMinor: bigint;
    };

export interface DemoItem {
  readonly serviceId: string;
  readonly amountMinor: bigint;
}

export interface DemoPlan {
  readonly run: string;
  readonly services: readonly { readonly id: string; readonly name: string }[];
  readonly deposits: readonly { readonly name: string; readonly userId: string; readonly amountMinor: bigint }[];
  readonly userIds: readonly string[];
  readonly actions: readonly DemoAction[];
}

const SERVICE_NAMES = ["Concert tickets", "Music streaming", "Vinyl records", "Guitar lessons", "Instrument hire", "Studio time"];
const ORDERS_PER_USER = 8;
const DEPOSITS_PER_USER = 3;
const MAX_ITEM_MINOR = 50_000;
const RESERVATION_KINDS = [
  "reservation confirmed",
  "reservation confirmed in part",
  "reservation released",
  "reservation left to expire",
] as const;

/** A plan of `orders` orders and a fifth as many reservations. Equal seeds give equal plans, names included, so that a second run is a repeat. */
export function planDemo(input: { readonly orders: number; readonly seed: number }): DemoPlan {
  const random = seededRandom(input.seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const run = `demo-${input.seed.toString(36)}`;
  const services = SERVICE_NAMES.map((name, place) => ({ id: `${run}-service-${place + 1}`, name: `${name} (${run})` }));
  const userIds = Array.from({ length: Math.max(2, Math.ceil(input.orders / ORDERS_PER_USER)) }, (_, place) => `${run}-user-${place + 1}`);
  const pick = <Value>(values: readonly Value[]): Value => values[below(values.length)] as Value;
  const price = () => BigInt(100 + below(MAX_ITEM_MINOR));

  const deposits = userIds.flatMap((userId) =>
    Array.from({ length: DEPOSITS_PER_USER }, (_, place) => ({
      name: `${userId}-deposit-${place + 1}`,
      userId,
      amountMinor: BigInt(200_000 + below(400_000)),
    })),
  );
  // More than any user of the plan ever has.
  const unaffordableMinor = 100_000_000n;
  const orders = Array.from({ length: input.orders }, (_, place): DemoAction => {
    const chance = random();
    const kind = chance < 0.2 ? "order too expensive" : chance < 0.3 ? "order cancelled" : "order";
    const items = Array.from({ length: 1 + below(3) }, () => ({ serviceId: pick(services).id, amountMinor: price() }));
    if (kind === "order too expensive") items.push({ serviceId: pick(services).id, amountMinor: unaffordableMinor });
    return { kind, name: `${run}-order-${place + 1}`, userId: pick(userIds), items };
  });
  const reservations = Array.from({ length: Math.max(RESERVATION_KINDS.length, Math.ceil(input.orders / 5)) }, (_, place): DemoAction => ({
    kind: RESERVATION_KINDS[place % RESERVATION_KINDS.length] ?? "reservation confirmed",
    name: `${run}-reservation-${place + 1}`,
    userId: pick(userIds),
    serviceId: pick(services).id,
    amountMinor: price() + 1n,
  }));
  const actions = [...orders, ...reservations].map((action) => ({ action, at: random() })).toSorted((left, right) => left.at - right.at);
  return { run, services, deposits, userIds, actions: actions.map(({ action }) => action) };
}
