import type { Finder } from "./finder.ts";
import type { Finding, PlaceReport } from "./place.ts";

const TIMEOUT_MS = 30_000;

/** Searches the book of the payment provider's simulator. A real provider shows no book, as `looked` says then. Throws: Error when the provider does not answer. */
export async function scanPsp(finder: Finder, provider: { readonly url: string; readonly apiKey: string }): Promise<PlaceReport> {
  const response = await fetch(new URL("/v1/book", provider.url), {
    headers: { authorization: `Bearer ${provider.apiKey}` },
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (response.status === 404) return { place: "psp", looked: "nothing: this provider has no book to show", findings: [], nothing: true };
  if (response.status !== 200) throw new Error(`the payment provider answered ${response.status}`);
  const { entries } = JSON.parse(text) as { entries: unknown[] };
  const findings = entries.flatMap((entry, place): Finding[] => {
    const spelling = finder.find(JSON.stringify(entry));
    return spelling === undefined ? [] : [{ where: `entry ${place + 1} of the book`, spelling }];
  });
  return { place: "psp", looked: `${entries.length} entries`, findings };
}
