import { tlsTrouble, type TlsProbe, type TlsTalk } from "../../base/tls-probe.ts";
import { StackError } from "../stack-error.ts";

const TITLES: Readonly<Record<TlsTalk, string>> = { postgres: "Postgres", temporal: "Temporal", kafka: "Kafka", redis: "Redis" };
const TIMEOUT_MS = 5_000;

/** Speaks to a server of the environment over TLS. Throws: ADDRESS_UNREACHABLE, with the server and the reason, when that does not come about. */
export async function requireTls(probe: TlsProbe, variable: string): Promise<void> {
  const reason = await tlsTrouble(probe, TIMEOUT_MS);
  if (reason === undefined) return;
  const place = `${probe.host}:${probe.port} (${variable})`;
  throw new StackError("ADDRESS_UNREACHABLE", `${TITLES[probe.talk]} at ${place} cannot be spoken to over TLS: ${reason}.`);
}
