import { dumpKafka } from "../../adapters/kafka/kafka-dump.ts";
import type { KafkaServers } from "../../adapters/kafka/kafka-security.ts";
import type { Finder } from "./finder.ts";
import type { Finding, PlaceReport } from "./place.ts";

/** Searches keys, values and headers of the last `maxMessages` messages of each partition of each topic. Throws: Error when it cannot read them. */
export async function scanKafka(finder: Finder, servers: KafkaServers, maxMessages: number): Promise<PlaceReport> {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  const { topics, messages, skipped } = await dumpKafka({ ...servers, maxMessages }, ({ topic, partition, offset, parts }) => {
    for (const [part, content] of Object.entries(parts)) {
      const spelling = finder.find(content) ?? finder.find(part);
      // One finding for a part of a partition says enough; a leak has as many messages as there were payments.
      const name = `${topic}/${partition} ${part}`;
      if (spelling === undefined || seen.has(name)) continue;
      seen.add(name);
      findings.push({ where: finder.mask(`${topic}/${partition}/${offset}, ${part}`), spelling });
    }
  });
  const looked = `${topics} topics, ${messages} messages${skipped === 0n ? "" : `, ${skipped} older ones not looked at`}`;
  return { place: "kafka", looked, findings };
}
