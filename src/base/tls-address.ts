import type { TlsFiles } from "./tls-files.ts";

/** The parameters by which an address of Postgres or Redis carries its TLS: libpq's own, and `sslservername`, which libpq does not have. */
const PARAMETERS = { ca: "sslrootcert", cert: "sslcert", key: "sslkey", serverName: "sslservername" } as const;
type Part = keyof typeof PARAMETERS;
const PARTS = Object.keys(PARAMETERS) as Part[];

/** The names of the parameters that `withTls` writes into an address. */
export const TLS_PARAMETERS: readonly string[] = Object.values(PARAMETERS);

/** The files that an address names; those that it does not name are left out. `sslrootcert=system` stands for Node's own list. */
export function tlsFilesOf(address: string): TlsFiles {
  const { searchParams } = new URL(address);
  const named = PARTS.map((part) => [part, searchParams.get(PARAMETERS[part])] as const);
  return Object.fromEntries(named.filter(([part, value]) => value !== null && !(part === "ca" && value === "system")));
}

/**
 * The address with these files, so that whoever has the address speaks to the server as it must be spoken to. A file that the address names
 * itself stays. Safe to retry: the result gives itself.
 */
export function withTls(address: string, files: TlsFiles): string {
  const url = new URL(address);
  const added = PARTS.filter((part) => files[part] !== undefined && !url.searchParams.has(PARAMETERS[part]));
  if (added.length === 0) return address;
  const query = added.map((part) => `${PARAMETERS[part]}=${encodeURIComponent(files[part] ?? "")}`).join("&");
  // Writing the whole address anew would change how its other parameters are encoded, which libpq reads otherwise.
  return `${address}${address.includes("?") ? "&" : "?"}${query}`;
}

/** The address without these parameters. The others stay as they are written. */
export function withoutParameters(address: string, names: readonly string[]): string {
  const [place = "", query] = address.split("?", 2);
  if (query === undefined) return address;
  const kept = query.split("&").filter((parameter) => !names.includes(parameter.split("=", 1)[0] ?? ""));
  return kept.length === 0 ? place : `${place}?${kept.join("&")}`;
}
