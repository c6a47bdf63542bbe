import { randomInt } from "node:crypto";
import { Command, InvalidArgumentError } from "commander";
import { ConfigError, loadConfig } from "../config.ts";
import { ApiUnreachable, createApiClient, UnexpectedAnswer } from "./api-client.ts";
import { findApiUrl } from "./api-url.ts";
import { planDemo } from "./demo-plan.ts";
import { demoAsJson, demoAsText, isRight } from "./demo-report.ts";
import { countSteps, runDemo } from "./demo-run.ts";
import { createDemoShop } from "./demo-shop.ts";
import { createProgressBar } from "./progress-bar.ts";

const MAX_SEED = 2 ** 31;

interface Options {
  readonly orders: number;
  readonly seed: number | undefined;
  readonly json: boolean | undefined;
  readonly api: string | undefined;
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) throw new InvalidArgumentError(`a whole number from ${min} to ${max} is needed`);
    return value;
  };
}

async function demo(options: Options): Promise<boolean> {
  const config = loadConfig();
  const baseUrl = findApiUrl(config, options.api);
  const currency = config.DEFAULT_CURRENCY;
  const plan = planDemo({ orders: options.orders, seed: options.seed ?? randomInt(MAX_SEED) });
  const bar = createProgressBar({ label: plan.run, unit: "steps", total: countSteps(plan), stream: process.stderr });
  const startedAtMs = performance.now();
  const result = await runDemo(createDemoShop(createApiClient({ baseUrl }), currency), plan, (done) => bar.update(done)).finally(() =>
    bar.finish(),
  );
  const context = { run: plan.run, currency, elapsedMs: performance.now() - startedAtMs };
  process.stdout.write(`${options.json === true ? JSON.stringify(demoAsJson(result, context)) : demoAsText(result, context)}\n`);
  return isRight(result);
}

const command = new Command("demo")
  .description("Drives a running Saldo as customers would, over HTTP only, and proves that every user's money adds up.")
  .option("--orders <number>", "how many orders", wholeNumber(1, 100_000), 200)
  .option("--seed <number>", "the same seed does the same again, under the same keys", wholeNumber(0, MAX_SEED - 1))
  .option("--json", "print JSON")
  .option("--api <url>", "the API's address; without it the running system's")
  .action(async (options: Options) => {
    process.exitCode = (await demo(options)) ? 0 : 1;
  });

try {
  await command.parseAsync();
} catch (error) {
  if (!(error instanceof ApiUnreachable || error instanceof UnexpectedAnswer || error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}${error instanceof ApiUnreachable ? "; `npm start` starts it" : ""}\n`);
  process.exitCode = 1;
}
