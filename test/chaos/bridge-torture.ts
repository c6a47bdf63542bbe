import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";
import { startStack } from "../../src/stack/stack.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";
import { tortureBridge } from "../support/torture.ts";

const USAGE = `npm run chaos:bridge -- [--events 100000] [--seconds 120] [--seed N] [--pause 2,4] [--bridges 3] [--timeout 600] [--other DIR]

Produces purchase events, each one to three times, over the given time, while bridges of one group (the role as npm start
runs it, with its worker) are killed (SIGKILL) and others join and leave, on servers of its own; compares the ledger with what was
produced and proves the books. The pause between two such faults lies between the two numbers of seconds. With --other, the folder
of another release with its node_modules (git worktree add --detach DIR COMMIT), every second bridge is run of that release.
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      events: { type: "string", default: "100000" },
      seconds: { type: "string", default: "120" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      pause: { type: "string", default: "2,4" },
      bridges: { type: "string", default: "3" },
      timeout: { type: "string", default: "600" },
      other: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [minSeconds = Number.NaN, maxSeconds = Number.NaN] = values.pause.split(",").map(Number);
  if (!(minSeconds >= 0 && maxSeconds >= minSeconds)) throw new Error(`--pause takes two numbers of seconds, not ${values.pause}`);
  // Without this handler a signal would leave the servers behind.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  console.log(`seed ${values.seed}, ${values.events} events over ${values.seconds} s`);
  const cacheDir = process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo");
  const stack = await startStack({
    servers: ["postgres", "temporal", "kafka"],
    required: ["postgres", "temporal", "kafka"],
    dataDir: join(tmpdir(), `${TEST_RUN_PREFIX}torture-${process.pid}`),
    cacheDir,
    ephemeral: true,
    ports: "free",
    onKillable: (kill) => void process.once("exit", kill),
  });
  try {
    const { postgres, temporal, kafka } = stack;
    if (postgres === undefined || temporal === undefined || kafka === undefined) throw new Error("a server is missing");
    await migrateDatabase({ adminUrl: postgres.adminUrl, appUrl: postgres.appUrl });
    const result = await tortureBridge({
      servers: {
        databaseUrl: postgres.appUrl,
        temporalAddress: temporal.address,
        temporalNamespace: "default",
        kafkaBrokers: kafka.brokers,
      },
      dataDir: stack.dataDir,
      cacheDir,
      bridges: Number(values.bridges),
      otherDir: values.other === undefined ? undefined : resolve(values.other),
      events: Number(values.events),
      seconds: Number(values.seconds),
      seed: Number(values.seed),
      pauseMs: { min: minSeconds * 1_000, max: maxSeconds * 1_000 },
      timeoutMs: Number(values.timeout) * 1_000,
      log: (line) => console.log(line),
    });
    console.log(JSON.stringify(result));
    console.log(
      result.problems.length === 0
        ? `0 lost, 0 doubled: ${result.events} events, ${result.messages} messages, ${result.kills} kills, ${result.guests} joined and left, ${result.elapsedSeconds} s, seed ${result.seed}.`
        : result.problems.join("\n"),
    );
    return result.problems.length === 0 ? 0 : 1;
  } finally {
    await stack.stop();
  }
}
