import { KeyFolderError } from "../adapters/tokens/key-files.ts";
import { listSigningKeys, retireSigningKeys, rotateSigningKey, type KeyStanding } from "../adapters/tokens/signing-keys.ts";
import { loadConfig } from "../config.ts";
import { runCommand, UsageError } from "./kit/command.ts";
import { findKeysDir } from "./kit/operator-token.ts";

const USAGE = `npm run keys -- ACTION [options]

Manages the keys that sign access tokens. Running processes notice a change within seconds and need no restart.

  list              list the keys: which one signs, which wait to sign, and from when on each may be retired
  rotate            publish the next key; it signs 5 minutes later, when no client can still have the older list
  rotate --soon     the same, but it signs after seconds: for when the present key has leaked
  retire            remove every key whose last token has expired (a day after the next key began to sign)
  retire --key KID  remove that key at once: every token that it signed is refused from then on

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
