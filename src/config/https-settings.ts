import { pemFileProblem } from "../base/tls-files.ts";
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

/** What is wrong with the files, by variable. Asked by whoever listens alone: others need not be able to read them. */
export function* httpsFileProblems(
  env: HttpsVariables,
  { listens }: { readonly listens?: boolean },
): Generator<readonly [keyof HttpsVariables, string]> {
  if (listens !== true) return;
  for (const [variable, part] of [
    ["HTTP_TLS_CERT", "cert"],
    ["HTTP_TLS_KEY", "key"],
  ] as const) {
    const file = env[variable];
    const problem = file === undefined ? undefined : pemFileProblem(part, file);
    if (problem !== undefined) yield [variable, problem];
  }
}
