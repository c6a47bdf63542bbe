import { optionalText } from "./optional-text.ts";

/** HTTPS of the API itself. */
export const HTTPS_SETTINGS = { HTTP_TLS_CERT: optionalText, HTTP_TLS_KEY: optionalText };

interface HttpsVariables {
  readonly HTTP_TLS_CERT?: string | undefined;
  readonly HTTP_TLS_KEY?: string | undefined;
}

/** What is wrong with these settings together, by variable. */
export function* httpsProblems(env: HttpsVariables): Generator<readonly [keyof HttpsVariables, string]> {
  if ((env.HTTP_TLS_CERT === undefined) !== (env.HTTP_TLS_KEY === undefined))
    yield env.HTTP_TLS_CERT === undefined
      ? ["HTTP_TLS_CERT", "is needed with HTTP_TLS_KEY"]
      : ["HTTP_TLS_KEY", "is needed with HTTP_TLS_CERT"];
}
