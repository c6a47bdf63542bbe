import { hostname, userInfo } from "node:os";
import { operatorActRoute } from "../api/orders/operator-schemas.ts";
import { orderListSchema, orderSchema } from "../api/orders/orders-schemas.ts";
import { loadConfig } from "../config.ts";
import { ApiUnreachable, createApiClient, NotAuthenticated, readAnswer, UnexpectedAnswer } from "./kit/api-client.ts";
import { findApiUrl } from "./kit/api-url.ts";
import { runCommand, UsageError } from "./kit/command.ts";
import { createTokenSource } from "./kit/operator-token.ts";
import { printable, printableLines } from "./kit/printable.ts";

const USAGE = `npm run orders -- stuck
npm run orders -- retry|skip|settle ORDER --reason WORDS [--step STEP]

  stuck             list the orders with a compensation that is past its fast retries
  retry             retry the stuck step of ORDER at once
  skip              leave the step undone for good
  settle            record that the step was done by hand, outside of Saldo
  --reason WORDS    why; recorded for ever together with who did it
  --step STEP       the step that is meant (default: the one that is stuck)
  --json            print what the API answered
  --api URL         the API's address, by its older name --url too (default: the system that runs from DATA_DIR, else HTTP_PORT)
  --help            print this

Exit code 0: done; 1: not done; 2: called wrongly.
`;

const ACTS = ["retry", "skip", "settle"] as const;
const takenSchema = operatorActRoute.responses[202].content["application/json"].schema;

process.exitCode = await runCommand({
  name: "orders",
  usage: USAGE,
  options: {
    reason: { type: "string" },
    step: { type: "string" },
    api: { type: "string" },
    url: { type: "string" },
    json: { type: "boolean", default: false },
  },
  maxPositionals: 2,
  expected: [ApiUnreachable, NotAuthenticated, UnexpectedAnswer],
  run: async ({ values, positionals }) => {
    const [verb, orderId] = positionals;
    const config = loadConfig();
    const baseUrl = findApiUrl(config, values.api ?? values.url);
    const token = createTokenSource(config, { baseUrl, subject: operatorName(), roles: ["admin"] });
    const api = createApiClient({ baseUrl, token });
    if (verb === "stuck") {
      const { orders } = readAnswer(await api.get("/api/v1/orders?stuck=true&limit=100"), [200], orderListSchema);
      const stuckOrders: object[] = [];
      for (const { orderId: id, total, currency } of orders) {
        // The list comes from Postgres. Why an order is stuck only its workflow knows, which the order's own route asks.
        const order = readAnswer(await api.get(`/api/v1/orders/${encodeURIComponent(id)}`), [200], orderSchema);
        const { stuck } = order;
        if (stuck === undefined) continue;
        stuckOrders.push(order);
        if (values.json) continue;
        process.stdout.write(
          `${printable(`${id}  ${total} ${currency}  stuck at "${stuck.step}" since ${stuck.since ?? "?"}  (${stuck.reason ?? "?"})`)}\n`,
        );
      }
      if (values.json) process.stdout.write(`${printableLines(JSON.stringify({ orders: stuckOrders }))}\n`);
      else if (orders.length === 0) process.stdout.write("Nothing is stuck.\n");
      return 0;
    }
    const act = ACTS.find((each) => each === verb);
    if (act === undefined) throw new UsageError(`${verb ?? "nothing"} is none of stuck, ${ACTS.join(", ")}`);
    if (orderId === undefined) throw new UsageError("name the order");
    if (values.reason === undefined) throw new UsageError("say why with --reason");
    const body = { act, reason: values.reason, ...(values.step === undefined ? {} : { step: values.step }) };
    const answer = await api.post(`/api/v1/orders/${encodeURIComponent(orderId)}/operator-acts`, body);
    const taken = readAnswer(answer, [202], takenSchema);
    process.stdout.write(values.json ? `${JSON.stringify(taken)}\n` : `The order was told to ${act} "${taken.step}".\n`);
    return 0;
  },
});

/** The operator's name as it is recorded with the act. */
function operatorName(): string {
  return `operator:${userInfo().username}@${hostname()}`;
}
