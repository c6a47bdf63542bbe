import { randomUUID } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { createKafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";
import { startStack } from "../../src/stack/stack.ts";
import { endOnSignals, wordsOfRun } from "../support/chaos-run.ts";
import { compareRandomSchedules } from "../support/compared-schedules.ts";
import { hasJavaKafka, startJavaKafka } from "../support/java-kafka.ts";
import { openRawFetch } from "../support/raw-fetch.ts";

const USAGE = `npm run chaos:transactions -- [COUNT] [SEED]

On a Kafka of its own, COUNT (5,000) random schedules of three producers that begin, send, commit and abort. Each is read from six offsets
by the client of the bridge, and from two by Kafka's own Java client; both must hand out what was committed and nothing else. Prints the
first schedule that differs and ends with 1 then.
`;

const [count = "5000", seed = "1"] = wordsOfRun(USAGE, 2);
const COUNT = Number(count);
const SEED = Number(seed);
const LANES = 12;
const TOLD_EVERY = 250;

endOnSignals();
const cacheDir = process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo");
const stack = await startStack({
  servers: ["kafka"],
  dataDir: join(tmpdir(), `${TEST_RUN_PREFIX}transactions-${randomUUID().slice(0, 8)}`),
  cacheDir,
  ephemeral: true,
  ports: "free",
  onKillable: (kill) => void process.once("exit", kill),
});
let failed = true;
try {
  failed = !(await compareAll(stack.kafka?.brokers ?? []));
} finally {
  await stack.stop();
}
process.exit(failed ? 1 : 0);

async function compareAll(brokers: readonly string[]): Promise<boolean> {
  const kafka = createKafka({ brokers, clientId: "transactions", logger: SILENT_LOG });
  const fetch = await openRawFetch(brokers);
  const java = hasJavaKafka(cacheDir) ? startJavaKafka({ cacheDir, brokers }) : undefined;
  if (java === undefined) console.log("without Java's compiler the schedules alone say what is right");
  try {
    const onDone = (done: number) => done % TOLD_EVERY === 0 && console.log(`${done} of ${COUNT} schedules are read alike`);
    const different = await compareRandomSchedules({ brokers, kafka, fetch, java }, { count: COUNT, lanes: LANES, seed: SEED, onDone });
    console.log(
      different === undefined ? `all ${COUNT} schedules are read alike (seed ${SEED})` : "a schedule is read in another way:",
      different ?? "",
    );
    return different === undefined;
  } finally {
    await java?.close();
    await fetch.close();
    await kafka.close();
  }
}
