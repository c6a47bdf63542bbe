import { messageOf } from "../../base/errors.ts";
import type { KafkaSasl } from "../../config/server-variables.ts";

export type OauthClient = Extract<KafkaSasl, { readonly mechanism: "OAUTHBEARER" }>;

const FETCH_TIMEOUT_MS = 5_000;
/** A token is fetched anew in the last fifth of its life, so that none ends on its way to the broker. */
const USED_FOR = 0.8;
/**
 * And in its last 15 s: the client logs in anew 10 s before its session ends, which ends with the token. Were it given the same token again,
 * it would log in with every request, and a broker refuses a second login within a second.
 */
const LEFT_SECONDS = 15;
/** For an issuer that does not say how long its token lives. */
const DEFAULT_LIFE_SECONDS = 60;
const MAX_TOKEN_BYTES = 65_536;

/** Gives a token out; `refused` is one that the broker did not take, and is not given out again before the issuer was asked. */
export type TokenSource = (refused?: string) => Promise<string>;

/**
 * Fetches tokens by the grant of client credentials (RFC 6749, 4.4) and gives one out until it comes near its end; callers at the same time
 * share one request. Throws: Error, without any of the secrets, when the issuer does not answer within 5 s or refuses.
 */
export function createTokenSource(client: Omit<OauthClient, "mechanism">, nowMs: () => number = () => performance.now()): TokenSource {
  let known: { readonly token: string; readonly untilMs: number } | undefined;
  let fetching: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    const askedAtMs = nowMs();
    const { token, lifeSeconds } = await fetchToken(client);
    known = { token, untilMs: askedAtMs + Math.min(lifeSeconds * USED_FOR, lifeSeconds - LEFT_SECONDS) * 1_000 };
    return token;
  };
  return (refused) => {
    if (known !== undefined && known.token !== refused && nowMs() < known.untilMs) return Promise.resolve(known.token);
    fetching ??= renew().finally(() => {
      fetching = undefined;
    });
    return fetching;
  };
}

async function fetchToken(client: Omit<OauthClient, "mechanism">): Promise<{ token: string; lifeSeconds: number }> {
  const form = new URLSearchParams({
    grant_type: "client_credentials",
    ...(client.scope === undefined ? {} : { scope: client.scope }),
  });
  const login = `${encodeURIComponent(client.clientId)}:${encodeURIComponent(client.clientSecret)}`;
  let response: Response;
  try {
    response = await fetch(client.tokenUrl, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(login).toString("base64")}`, accept: "application/json" },
      body: form,
      redirect: "error",
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
    });
  } catch (error) {
    throw new Error(`the issuer of Kafka's tokens does not answer: ${messageOf(error)}`, { cause: error });
  }
  const text = await response.text();
  if (!response.ok) throw new Error(`the issuer of Kafka's tokens answers with ${response.status}`);
  const answer = readAnswer(text);
  if (answer === undefined) throw new Error("the issuer of Kafka's tokens answers without an access_token");
  return answer;
}

function readAnswer(text: string): { token: string; lifeSeconds: number } | undefined {
  if (text.length > MAX_TOKEN_BYTES) return undefined;
  try {
    const { access_token: token, expires_in: life } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (typeof token !== "string" || token === "") return undefined;
    const lifeSeconds = Number(life);
    return { token, lifeSeconds: lifeSeconds > 0 ? lifeSeconds : DEFAULT_LIFE_SECONDS };
  } catch {
    return undefined;
  }
}
