import { KeyFolderError } from "../adapters/tokens/key-files.ts";
import { listSigningKeys, retireSigningKeys, rotateSigningKey, type KeyStanding } from "../adapters/tokens/signing-keys.ts";
import { loadConfig } from "../config.ts";
import { runCommand, UsageError } from "./kit/command.ts";
import { findKeysDir } from "./kit/operator-token.ts";

const USAGE = `npm run keys -- ACTION [options]

The keys that access tokens are signed with. Running processes know a change within seconds; none needs a restart.

  list              every key: which one signs, which wait, from when on each may be retired
  rotate            publish the next key; it signs once nobody can have kept the older list (5 minutes)
  rotate --soon     the same, but it signs after seconds: for a key that became known to others
  retire            take away every key whose last token has ended (a day after the next one began to sign)
  retire --key KID  take that key away at once: every token it signed is refused from then on

  --json            print JSON
  --help            print this
`;

process.exitCode = await runCommand({
  name: "keys",
  usage: USAGE,
  maxPositionals: 1,
  options: { soon: { type: "boolean", default: false }, key: { type: "string" }, json: { type: "boolean", default: false } },
  expected: [KeyFolderError],
  run: async ({ values: { soon, key, json }, positionals: [action] }) => {
    const directory = findKeysDir(loadConfig());
    const print = (value: object, text: string) => process.stdout.write(`${json ? JSON.stringify(value) : text}\n`);
    if (soon && action !== "rotate") throw new UsageError("--soon belongs to rotate");
    if (key !== undefined && action !== "retire") throw new UsageError("--key belongs to retire");
    switch (action) {
      case "list": {
        const keys = await listSigningKeys(directory);
        print({ directory, keys: keys.map(show) }, keys.length === 0 ? `There is no key in ${directory}.` : keys.map(describe).join("\n"));
        return 0;
      }
      case "rotate": {
        const { kid, signsFromMs } = await rotateSigningKey(directory, { soon });
        print({ kid, signsFrom: timeOf(signsFromMs) }, `${kid} is published and signs from ${timeOf(signsFromMs)} on.`);
        return 0;
      }
      case "retire": {
        const retired = await retireSigningKeys(directory, key === undefined ? {} : { kid: key });
        print({ retired }, retired.length === 0 ? "No key may be retired yet; `list` says when." : `Retired: ${retired.join(", ")}`);
        return 0;
      }
      case undefined:
      default:
        throw new UsageError("name what to do: list, rotate or retire");
    }
  },
});

function show({ kid, state, signsFromMs, retirableFromMs }: KeyStanding) {
  return {
    kid,
    state,
    signsFrom: timeOf(signsFromMs),
    ...(retirableFromMs === undefined ? {} : { retirableFrom: timeOf(retirableFromMs) }),
  };
}

function describe({ kid, state, signsFromMs, retirableFromMs }: KeyStanding): string {
  const end = retirableFromMs === undefined ? "" : `, may be retired from ${timeOf(retirableFromMs)} on`;
  return `${kid}  ${state}  since ${timeOf(signsFromMs)}${end}`.replace("waits to sign  since", "signs from");
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
