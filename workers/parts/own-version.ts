import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** The version of Saldo that package.json names. */
export function ownVersion(): string {
  return (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
}

/** The version and, as a bundle of workflows is named by the hash of what it is made of, the first 12 digits of that hash. */
export function codeVersion(bundlePath: string): string {
  const hash = /^[0-9a-f]{12}/.exec(basename(bundlePath))?.[0];
  return hash === undefined ? ownVersion() : `${ownVersion()}+${hash}`;
}
