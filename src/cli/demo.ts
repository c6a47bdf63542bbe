import { randomInt } from "node:crypto";
import { loadConfig } from "../config.ts";
import { planDemo } from "./demo/demo-plan.ts";
import { demoAsJson, demoAsText, isRight } from "./demo/demo-report.ts";
import { countSteps, runDemo } from "./demo/demo-run.ts";
import { createDemoShop } from "./demo/demo-shop.ts";
import { ApiUnreachable, createApiClient, NotAuthenticated, UnexpectedAnswer } from "./kit/api-client.ts";
import { findApiUrl } from "./kit/api-url.ts";
import { runCommand, wholeNumber } from "./kit/command.ts";
import { createTokenSource } from "./kit/operator-token.ts";
import { createProgressBar } from "./kit/progress-bar.ts";

const MAX_SEED = 2 ** 31;

const USAGE = `npm run demo -- [options]

Drives a running Saldo as customers would, over HTTP only, and proves that every user's money adds up.

  --orders NUMBER   how many orders (default: 200)
  --seed NUMBER     the same seed repeats its run, under the same idempotency keys (default: a random seed)
  --json            print JSON
  --api URL         the API's address (default: the running system's)
  --help            print this

Exit code 0: everything adds up; 1: it does not, or Saldo does not run; 2: a wrong option.
`;

process.exitCode = await runCommand({
  name: "demo",
  usage: USAGE,
  options: {
    orders: { type: "string", default: "200" },
    seed: { type: "string" },
    json: { type: "boolean", default: false },
    api: { type: "string" },
  },
  expected: [ApiUnreachable, NotAuthenticated, UnexpectedAnswer],
  run: async ({ values: { orders, seed, json, api } }) => {
    const options: Options = {
      orders: wholeNumber("--orders", orders, { min: 1, max: 100_000 }),
      seed: seed === undefined ? randomInt(MAX_SEED) : wholeNumber("--seed", seed, { min: 0, max: MAX_SEED - 1 }),
      json,
      api,
    };
    return (await demo(options)) ? 0 : 1;
  },
});

interface Options {
  readonly orders: number;
  readonly seed: number;
  readonly json: boolean;
  readonly api: string | undefined;
}

async function demo(options: Options): Promise<boolean> {
  const config = loadConfig();
  const baseUrl = findApiUrl(config, options.api);
  const currency = config.DEFAULT_CURRENCY;
  const plan = planDemo({ orders: options.orders, seed: options.seed });
  const bar = createProgressBar({ label: plan.run, unit: "steps", total: countSteps(plan), stream: process.stderr });
  const startedAtMs = performance.now();
  const token = createTokenSource(config, { baseUrl, subject: "demo", roles: ["service"] });
  const result = await runDemo(createDemoShop(createApiClient({ baseUrl, token }), currency), plan, (done) => bar.update(done)).finally(
    () => bar.finish(),
  );
  const context = { run: plan.run, currency, elapsedMs: performance.now() - startedAtMs };
  process.stdout.write(`${options.json ? JSON.stringify(demoAsJson(result, context)) : demoAsText(result, context)}\n`);
  return isRight(result);
}
