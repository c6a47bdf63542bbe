import { z } from "zod";
import { loadConfig } from "../config.ts";
import { ApiUnreachable, createApiClient, NotAuthenticated, readAnswer, UnexpectedAnswer, type ApiClient } from "./kit/api-client.ts";
import { findApiUrl } from "./kit/api-url.ts";
import { runCommand, UsageError } from "./kit/command.ts";
import { createTokenSource } from "./kit/operator-token.ts";

const USAGE = `npm run access -- end|disable|enable SUBJECT --reason W [options]

Takes away who may get in. In force in every process of the api within half a second, whatever Redis does.

  end SUBJECT --reason W      refuse every token of the subject that was issued up to now, end its sessions and its API keys: of a user,
                              a service, an operator or somebody of the external issuer. Later tokens are taken
  disable USER --reason W     let nobody in with the user's login, nor with any token of that subject, until it is enabled
  enable USER --reason W      let the user log in again; what was before stays ended
                              USER is the user's id too

SUBJECT is the token's sub, of a user the user's id and not the login. Any is taken, also one that nobody has.

  --up-to TIME    with end: tokens issued up to this moment in the past, such as 2026-11-29T07:30:00Z
  --json          print the API's answer
  --api URL       the address of the API (default: the running system's)
  --help          print this
`;

const ended = z.object({ subject: z.string(), revokedUpTo: z.string(), apiKeys: z.array(z.string()) });
const changed = z.object({ userId: z.string(), login: z.string(), disabled: z.boolean() });

process.exitCode = await runCommand({
  name: "access",
  usage: USAGE,
  maxPositionals: 2,
  options: {
    reason: { type: "string" },
    "up-to": { type: "string" },
    json: { type: "boolean", default: false },
    api: { type: "string" },
  },
  expected: [ApiUnreachable, NotAuthenticated, UnexpectedAnswer],
  run: async ({ values: { reason, "up-to": upTo, json, api: given }, positionals: [act, subject] }) => {
    if ((act !== "end" && act !== "disable" && act !== "enable") || subject === undefined)
      throw new UsageError("say end SUBJECT, disable USER or enable USER");
    if (reason === undefined) throw new UsageError("--reason says why");
    if (upTo !== undefined && act !== "end") throw new UsageError("--up-to belongs to end");
    const config = loadConfig();
    const baseUrl = findApiUrl(config, given);
    if (!URL.canParse(baseUrl)) throw new UsageError("--api takes an address such as http://127.0.0.1:8080");
    const api = createApiClient({ baseUrl, token: createTokenSource(config, { baseUrl, subject: "access", roles: ["admin"] }) });
    const { answer, text } = act === "end" ? await end(api, { subject, reason, upTo }) : await change(api, act, subject, reason);
    process.stdout.write(`${json ? JSON.stringify(answer) : text}\n`);
    return 0;
  },
});

async function end(api: ApiClient, { upTo, ...asked }: { subject: string; reason: string; upTo: string | undefined }) {
  const body = { ...asked, ...(upTo === undefined ? {} : { upTo }) };
  const answer = readAnswer(await api.post("/api/v1/auth/revocations", body), [200], ended);
  const keys = answer.apiKeys.length === 0 ? "" : ` Its API keys ended: ${answer.apiKeys.join(", ")}.`;
  return { answer, text: `No token of ${answer.subject} from ${answer.revokedUpTo} or before is taken any more.${keys}` };
}

async function change(api: ApiClient, act: "disable" | "enable", userId: string, reason: string) {
  const answer = readAnswer(await api.post(`/api/v1/auth/users/${encodeURIComponent(userId)}/${act}`, { reason }), [200], changed);
  const state = answer.disabled ? "is disabled: nobody gets in with it" : "is enabled: the user may log in again";
  return { answer, text: `The login ${answer.login} of ${answer.userId} ${state}.` };
}
