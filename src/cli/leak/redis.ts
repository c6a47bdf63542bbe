import { dumpRedis } from "../../adapters/redis/redis-dump.ts";
import type { Finder } from "./finder.ts";
import type { Finding, PlaceReport } from "./place.ts";

/** Searches every key and every value of the database that the address names. Throws: Error when Redis does not answer. */
export async function scanRedis(finder: Finder, url: string): Promise<PlaceReport> {
  const findings: Finding[] = [];
  let keys = 0;
  await dumpRedis(url, ({ key, type, contents }) => {
    keys += 1;
    const name = finder.mask(key.toString("latin1"));
    const inKey = finder.find(key);
    if (inKey !== undefined) findings.push({ where: `the name of ${type} ${name}`, spelling: inKey });
    for (const content of contents) {
      const spelling = finder.find(content);
      if (spelling === undefined) continue;
      findings.push({ where: `${type} ${name}`, spelling });
      break;
    }
  });
  return { place: "redis", looked: `${keys} keys`, findings };
}
