import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import { openPayloadProtection, PayloadKeysError } from "../adapters/payload-codec/payload-protection.ts";
import { loadConfig } from "../config.ts";
import { temporalSecurity } from "../config/server-variables.ts";
import { readRunning } from "../stack/running.ts";
import { CommandFailure, runCommand, UsageError } from "./kit/command.ts";
import { findPlaintext } from "./payload-keys/find-plaintext.ts";

const USAGE = `npm run payload-keys -- ACTION [options]

The keys that encrypt what Temporal keeps: docs/security.md.

  make              print a new key, NAME:KEY, for TEMPORAL_PAYLOAD_KEYS or the file of TEMPORAL_PAYLOAD_KEYS_FILE. The first key there writes,
                    all of them read
  check             look through all histories of the namespace: how many workflows are encrypted with which key, and which hold payloads
                    in the open; one that holds both is counted in both. Those in the open go with the retention, 30 days
                    after their end. Exit code 1 when one does: TEMPORAL_PAYLOAD_ENCRYPTION=required would not read it

  --name NAME       the new key's name (default: the day and four random characters)
  --json            print JSON
  --help            print this
`;

const SHOWN = 20;

process.exitCode = await runCommand({
  name: "payload-keys",
  usage: USAGE,
  maxPositionals: 1,
  options: { name: { type: "string" }, json: { type: "boolean", default: false } },
  expected: [PayloadKeysError],
  run: async ({ values: { name, json }, positionals: [action] }) => {
    if (action === "make") {
      const id = name ?? `${new Date().toISOString().slice(0, 10)}-${randomBytes(2).toString("hex")}`;
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(id)) throw new UsageError("--name takes 1 to 64 letters, digits, dots, dashes and underscores");
      const key = randomBytes(32).toString("base64");
      process.stdout.write(`${json ? JSON.stringify({ name: id, key }) : `${id}:${key}`}\n`);
      return 0;
    }
    if (action !== "check") throw new UsageError("name what to do: make or check");
    const config = loadConfig();
    openPayloadProtection(config);
    const address = config.TEMPORAL_ADDRESS ?? readRunning(resolve(config.DATA_DIR))?.temporalAddress;
    if (address === undefined) throw new CommandFailure("no Temporal is known: set TEMPORAL_ADDRESS, or run this beside `npm start`");
    const found = await findPlaintext({ address, namespace: config.TEMPORAL_NAMESPACE, ...temporalSecurity(config) });
    const byKey = Object.entries(found.byKey).map(([key, count]) => `${count} with the key ${key}`);
    const counted = Object.values(found.byKey).reduce((sum, count) => sum + count, found.plain.length);
    const lines = [
      `${found.workflows} workflows: ${[...byKey, `${found.plain.length} with payloads in the open`].join(", ")}.`,
      ...(counted > found.workflows ? ["A workflow that holds payloads of several kinds is counted in each of them."] : []),
      ...(found.plain.length > 0
        ? ["What is in the open goes with the namespace's retention (30 days after a workflow's end), not before."]
        : []),
      ...found.plain.slice(0, SHOWN).map(({ workflowId, isOpen }) => `  ${isOpen ? "open  " : "closed"} ${workflowId}`),
      ...(found.plain.length > SHOWN ? [`  and ${found.plain.length - SHOWN} more`] : []),
      ...found.plainSchedules.map((scheduleId) => `  schedule ${scheduleId}: the next start of Saldo writes it anew`),
    ];
    process.stdout.write(`${json ? JSON.stringify(found) : lines.join("\n")}\n`);
    return found.plain.length + found.plainSchedules.length === 0 ? 0 : 1;
  },
});
