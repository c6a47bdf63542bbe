import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createStripePsp } from "../../src/adapters/psp/stripe/psp-stripe.ts";
import { paymentKey, refundKey } from "../../src/contract/ids.ts";
import { findPaymentReference, keepPaymentReference } from "../../src/store/orders/provider-payments.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";

// Takes a payment through its steps as a worker's activities do, and prints each outcome. Its parent kills it where it likes.
const [databaseUrl = "", url = "", secretKey = "", orderId = "", steps = ""] = process.argv.slice(2);
const { db, close } = createDatabase({ url: databaseUrl, name: "stripe-child", laneCount: 1, deadlineMs: 10_000 });
const psp = createStripePsp({
  url,
  secretKey,
  rawCards: "refuse",
  logger: SILENT_LOG,
  timeoutMs: 20_000,
  deployment: async () => "d0000001",
  references: { find: (id) => findPaymentReference(db, id), keep: (id, reference) => keepPaymentReference(db, id, reference) },
});
const step = { orderId, amountMinor: 10_000n, currency: "EUR" };
const authorisationKey = paymentKey(orderId, "authorise");
for (const name of steps.split(","))
  switch (name) {
    case "authorise":
      console.log(name, (await psp.authorise({ ...step, key: authorisationKey, cardToken: "pm_card_visa" })).status);
      break;
    case "capture":
      console.log(name, (await psp.capture({ ...step, key: paymentKey(orderId, "capture"), authorisationKey })).status);
      break;
    case "cancel":
      console.log(name, (await psp.cancel({ ...step, key: paymentKey(orderId, "cancel"), authorisationKey })).status);
      break;
    default:
      console.log(
        name,
        (await psp.refund({ ...step, amountMinor: 2_500n, key: refundKey(orderId, name), captureKey: paymentKey(orderId, "capture") }))
          .status,
      );
  }
await close();
process.exit(0);
