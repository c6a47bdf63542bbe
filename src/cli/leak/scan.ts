import { existsSync } from "node:fs";
import type { KafkaServers } from "../../adapters/kafka/kafka-security.ts";
import { messageOf } from "../../base/errors.ts";
import { scanFiles } from "./files.ts";
import type { Finder } from "./finder.ts";
import { scanKafka } from "./kafka.ts";
import type { PlaceReport } from "./place.ts";
import { scanPostgres } from "./postgres.ts";
import { scanPsp } from "./psp.ts";
import { scanRedis } from "./redis.ts";
import { scanTemporal } from "./temporal.ts";

export const PLACES = ["postgres", "redis", "kafka", "temporal", "psp", "files"] as const;
export type Place = (typeof PLACES)[number];

/** The addresses of the parts. A part without an address is reported as absent. */
export interface LeakAddresses {
  readonly databaseUrl?: string | undefined;
  readonly redisUrl?: string | undefined;
  readonly kafka?: KafkaServers | undefined;
  readonly temporal?: Parameters<typeof scanTemporal>[1] | undefined;
  readonly psp?: { readonly url: string; readonly apiKey: string } | undefined;
  readonly folders: readonly string[];
}

/** A place with its report, or with the reason why it could not be searched. */
export type PlaceResult = PlaceReport | { readonly place: Place; readonly failed: string };

export interface LeakReport {
  readonly found: boolean;
  /** True when none of the places had anything to look at. */
  readonly empty: boolean;
  /** False when a place could not be searched: then "not found" says nothing about it. */
  readonly complete: boolean;
  readonly places: readonly PlaceResult[];
}

/** Searches the places one after the other, so that the load on the machine stays low. The other places are searched also when one fails. */
export async function scanForLeaks(options: {
  readonly finder: Finder;
  readonly addresses: LeakAddresses;
  readonly only?: readonly Place[] | undefined;
  readonly maxMessages: number;
}): Promise<LeakReport> {
  const { finder, addresses } = options;
  const folders = [...addresses.folders];
  const absent = (place: Place): PlaceReport => ({ place, looked: "nothing: there is none", findings: [], nothing: true });
  const scans: Record<Place, () => Promise<PlaceReport>> = {
    postgres: async () => {
      if (addresses.databaseUrl === undefined) return absent("postgres");
      const { dataDirectory, ...report } = await scanPostgres(finder, addresses.databaseUrl);
      // Only a server on this machine keeps its files where this process can see them.
      if (dataDirectory !== undefined && existsSync(dataDirectory)) folders.push(dataDirectory);
      return report;
    },
    redis: async () => (addresses.redisUrl === undefined ? absent("redis") : await scanRedis(finder, addresses.redisUrl)),
    kafka: async () => (addresses.kafka === undefined ? absent("kafka") : await scanKafka(finder, addresses.kafka, options.maxMessages)),
    temporal: async () => (addresses.temporal === undefined ? absent("temporal") : await scanTemporal(finder, addresses.temporal)),
    psp: async () => (addresses.psp === undefined ? absent("psp") : await scanPsp(finder, addresses.psp)),
    files: () => scanFiles(finder, folders),
  };
  const places: PlaceResult[] = [];
  for (const place of PLACES.filter((each) => options.only?.includes(each) ?? true))
    places.push(await scans[place]().catch((error: unknown) => ({ place, failed: finder.mask(messageOf(error)) })));
  const empty = places.every((result) => "findings" in result && result.nothing === true);
  return {
    found: places.some((result) => "findings" in result && result.findings.length > 0),
    empty,
    complete: !empty && places.every((result) => "findings" in result),
    places,
  };
}
