import { KeyFolderError } from "../adapters/tokens/key-files.ts";
import { MAX_TOKEN_TTL_MS } from "../adapters/tokens/signing-keys.ts";
import { loadConfig } from "../config.ts";
import { idProblem, MAX_USER_ID_LENGTH } from "../contract/id-rule.ts";
import { isRole, ROLES } from "../contract/identity.ts";
import { runCommand, UsageError } from "./kit/command.ts";
import { mintToken } from "./kit/operator-token.ts";

const USAGE = `npm run token -- [options]

Prints an access token, signed with the keys of this machine.

  --role ROLE       user, service or admin; may be given several times (default: admin)
  --subject NAME    the token's subject; for the role user, the user's id (default: operator)
  --ttl TIME        how long it is valid: 90s, 15m, 1h; 24h at most (default: 1h)
  --json            print {"token","tokenId","subject","roles","expiresAt"}
  --help            print this

A token is given back by POST /api/v1/auth/logout. All tokens of a subject are ended by
\`npm run access -- end SUBJECT\`: see docs/security.md.
`;

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

process.exitCode = await runCommand({
  name: "token",
  usage: USAGE,
  options: {
    role: { type: "string", multiple: true, default: ["admin"] },
    subject: { type: "string", default: "operator" },
    ttl: { type: "string", default: "1h" },
    json: { type: "boolean", default: false },
  },
  expected: [KeyFolderError],
  run: async ({ values: { role, subject, ttl, json } }) => {
    if (!role.every(isRole)) throw new UsageError(`--role takes ${ROLES.join(", ")}`);
    const problem = idProblem(subject, MAX_USER_ID_LENGTH);
    if (problem !== undefined) throw new UsageError(`--subject ${problem}`);
    const { token, id, expiresAtMs } = await mintToken(loadConfig(), { subject, roles: role, ttlMs: readTtl(ttl) });
    const shown = { token, tokenId: id, subject, roles: role, expiresAt: new Date(expiresAtMs).toISOString() };
    process.stdout.write(`${json ? JSON.stringify(shown) : token}\n`);
    return 0;
  },
});

function readTtl(text: string): number {
  const [, number, unit = ""] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (!(ms > 0 && ms <= MAX_TOKEN_TTL_MS)) throw new UsageError("--ttl takes a time such as 90s, 15m or 1h, 24h at most");
  return ms;
}
