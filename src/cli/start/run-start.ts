import { createStopOrders } from "../../../workers/parts/stop-orders.ts";
import { payloadsInWords } from "../../adapters/payload-codec/payload-protection.ts";
import { untilAborted } from "../../base/aborted.ts";
import { ConfigError, hideSecret, inheritedEnvironment, loadConfig, type Config } from "../../config.ts";
import { pspKindOf } from "../../config/psp-settings.ts";
import { sentenceOf, StackError } from "../../stack/stack-error.ts";
import { runCommand } from "../kit/command.ts";
import { mintToken } from "../kit/operator-token.ts";
import { placeCheckOrder } from "./check-order.ts";
import { START_ENTRIES } from "./role-entries.ts";
import { createStartSteps } from "./start-steps.ts";
import { startSystem, type System } from "./system.ts";
import { createChecklist } from "./terminal-checklist.ts";

const USAGE = `npm start -- [options]

  --ephemeral   keep no data: everything lies in a throw-away folder
  --check       bring everything up, place one order, go down; the exit code is 0 or 1
  --json        print one JSON object per line
  --verbose     print what the roles log as well
  --help        print this

Ports and addresses come from the environment or .env; .env.example lists them.
`;

const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const DEMO_TOKEN_TTL_MS = 12 * 3_600_000;

type Options = { ephemeral: boolean; check: boolean; json: boolean; verbose: boolean };

const flag = { type: "boolean", default: false } as const;
void runCommand({
  name: "start",
  usage: USAGE,
  options: { ephemeral: flag, check: flag, json: flag, verbose: flag },
  run: ({ values }) => run(values),
}).then((code) => process.exit(code));

async function run({ ephemeral, check, json, verbose }: Options): Promise<number> {
  const environment = inheritedEnvironment();
  const say = (event: string, text: string, fields: object = {}) =>
    process.stdout.write(json ? `${JSON.stringify({ event, ...(text === "" ? {} : { text }), ...fields })}\n` : `${text}\n`);
  const interrupts = interruptible();
  try {
    const config = loadConfig(environment, process.cwd(), { listens: true, pays: true });
    // Read before any server starts: with keys that cannot be used none of them would be of use.
    const payloads = payloadsInWords(config);
    const checklist = createChecklist(process.stdout, {
      json,
      color: environment["NO_COLOR"] === undefined || environment["NO_COLOR"] === "",
    });
    if (!json) say("", "Saldo starts:");
    let system: System;
    try {
      system = await startSystem({
        config,
        environment,
        ephemeral,
        entries: START_ENTRIES,
        steps: createStartSteps(config),
        onStep: (line) => checklist.update(line),
        onRoleEvent: (event) =>
          event.state === "stopped" ||
          say("role", `Role ${event.role} ${event.state}${event.detail === "" ? "" : `: ${event.detail}`}`, {
            role: event.role,
            state: event.state,
          }),
        onServerEvent: ({ server, state, detail }) => say("server", detail, { server, state }),
        ...(verbose
          ? { onRoleOutput: (role: string, chunk: string) => void process.stderr.write(chunk.replace(/^(?=.)/gm, `[${role}] `)) }
          : {}),
        onKillable: interrupts.killAtExit,
        signal: interrupts.signal,
      });
    } finally {
      checklist.finish();
    }
    try {
      const token = await demoToken(system, config);
      describe(system, config, say, { token, payloads });
      if (check) return await checkOrder(system, config, say, token);
      await untilAborted(interrupts.signal);
      say("stopping", "Stopping (Ctrl-C again kills) ...");
    } finally {
      await system.stop();
    }
    say("stopped", "Stopped.");
    return 0;
  } catch (error) {
    if (interrupts.signal.aborted && error instanceof StackError && error.code === "STOPPED") {
      say("stopped", "Stopped before everything ran.");
      return 130;
    }
    const text = error instanceof ConfigError ? error.message : sentenceOf(error);
    if (json) say("failed", text, error instanceof StackError ? { code: error.code } : {});
    else process.stderr.write(`${text}\n`);
    return 1;
  } finally {
    interrupts.done();
  }
}

type Say = (event: string, text: string, fields?: object) => void;

async function checkOrder(system: System, config: Config, say: Say, token: string): Promise<number> {
  try {
    const { orderId, elapsedMs } = await placeCheckOrder(system.running.apiUrl, config.DEFAULT_CURRENCY, token);
    say("check", `Check passed: order ${orderId} was COMPLETED after ${elapsedMs} ms.`, { passed: true, orderId, elapsedMs });
    return 0;
  } catch (error) {
    say("check", `Check failed: ${sentenceOf(error)}`, { passed: false });
    return 1;
  }
}

/** A token for the commands that are shown. Made also with AUTH_MODE=off, so that the commands are the same. */
async function demoToken({ running }: System, config: Config): Promise<string> {
  const { token } = await mintToken(config, { subject: "demo", roles: ["admin", "service"], ttlMs: DEMO_TOKEN_TTL_MS }, running.keysDir);
  return token;
}

function describe(system: System, config: Config, say: Say, { token, payloads }: { token: string; payloads: string }): void {
  const { running, stack } = system;
  const temporal = `${running.temporalAddress}, namespace ${config.TEMPORAL_NAMESPACE}`;
  const lines: [string, string | undefined][] = [
    ["API", running.apiUrl],
    ["API pages", `${running.apiUrl}/docs`],
    ["Temporal Web UI", running.temporalUiUrl],
    [
      "Temporal",
      running.temporalBinary === undefined
        ? temporal
        : `${temporal}, e.g. ${running.temporalBinary} workflow list --address ${running.temporalAddress}`,
    ],
    ["Kafka", running.kafkaBrokers?.join(",")],
    ["Postgres", `${hideSecret(running.databaseUrl)} (passwords in ${config.DATA_DIR}/running.json)`],
    ["Redis", running.redisUrl === undefined ? undefined : hideSecret(running.redisUrl)],
    ["Payment provider", running.pspUrl ?? (pspKindOf(config) === "stripe" ? `Stripe, ${config.STRIPE_API_URL}` : undefined)],
    [
      "Metrics",
      `${running.apiUrl}/metrics; ${Object.entries(running.metricsUrls ?? {})
        .map(([role, url]) => `${role} ${url}`)
        .join(", ")}`,
    ],
    ["Logs", running.logDir],
    ["Payloads", payloads],
  ];
  const known = lines.filter((line): line is [string, string] => line[1] !== undefined);
  const authority = config.HTTP_TLS_CERT === undefined ? "" : " --cacert ca.pem";
  const curl = `curl -sS${authority} -X POST ${running.apiUrl}/api/v1/balances/alice/deposits -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -H "idempotency-key: $(date +%s%N)" -d '{"amount":"100.00","currency":"${config.DEFAULT_CURRENCY}"}'`;
  const warnings = [...stack.missing.map((missing) => `${missing.reason} ${missing.consequence}`), ...system.notStarted];
  const text = [
    "",
    ...warnings.map((warning) => `  ! ${warning}`),
    ...known.map(([name, value]) => `  ${name.padEnd(16)} ${value}`),
    "",
    `  A token for 12 hours, roles admin and service (\`npm run token\` makes others)${config.AUTH_MODE === "off" ? "; AUTH_MODE is off, so none is asked for" : ""}:`,
    `  TOKEN=${token}`,
    "",
    "  Try:",
    `  ${curl}`,
    ...(authority === ""
      ? []
      : ["  (ca.pem: the authority that signed HTTP_TLS_CERT; without --cacert where curl knows it. The host must be a name it is for.)"]),
    "",
    "  Ctrl-C stops everything that was started here.",
    "",
  ].join("\n");
  say("ready", text, {
    text: undefined,
    urls: Object.fromEntries(known.filter(([name]) => name !== "Payloads")),
    payloads,
    warnings,
    roles: running.roles,
    token,
    curl,
  });
}

/** Listens to Ctrl-C and SIGTERM until `done`: the first aborts `signal`, another one kills everything and ends this process. */
function interruptible(): { signal: AbortSignal; killAtExit: (kill: () => void) => void; done: () => void } {
  const stopOrders = createStopOrders();
  let kill = () => {};
  const onSignal = (name: NodeJS.Signals) => {
    if (stopOrders.take() !== "more") return;
    kill();
    process.exit(name === "SIGINT" ? 130 : 143);
  };
  for (const name of STOP_SIGNALS) process.on(name, onSignal);
  process.on("exit", () => kill());
  return {
    signal: stopOrders.signal,
    killAtExit: (killEverything) => {
      kill = killEverything;
    },
    done: () => {
      for (const name of STOP_SIGNALS) process.off(name, onSignal);
    },
  };
}
