import { formatAmount } from "../../base/money.ts";
import { neutraliseCell, quoteField } from "../../domain/reports/report-csv.ts";

const HEADER = "service_name,month_amount\n";

type NamePage = readonly { readonly serviceName: string; readonly revenueMinor: bigint }[];

/**
 * A month's revenue as the earlier service wrote it: a header, a comma, one line per service name. `names` come in the order of the lines, each
 * once, with the revenue in the given currency. The same names give the same bytes.
 */
export async function* legacyReportTexts(names: AsyncIterable<NamePage>, currency: string): AsyncGenerator<string> {
  yield HEADER;
  for await (const page of names)
    yield page
      .map(({ serviceName, revenueMinor }) => `${quoteField(neutraliseCell(serviceName))},${formatAmount(revenueMinor, currency)}\n`)
      .join("");
}
