import type { Config } from "../../config.ts";
import { isPlayedHere } from "../../config/psp-settings.ts";
import { freePort, type WantedPort } from "../../stack/free-port.ts";
import { MEASURED_ROLES, type MeasuredRole } from "./roles.ts";

/** The ports that Saldo's own processes listen on. */
export interface RolePorts {
  readonly apiPort: number;
  readonly purchasesPort: number;
  /** The port of the payment provider's simulator. */
  readonly pspPort: number;
  readonly metricsPorts: Readonly<Record<MeasuredRole, number>>;
}

/** The ports of the roles by the configuration; for a port of 0 a free one. Throws: SERVER_FAILED when no free port is found. */
export async function planPorts(config: Config): Promise<RolePorts> {
  const fixedOrFree = async (port: number) => (port === 0 ? freePort() : port);
  return {
    apiPort: await fixedOrFree(config.HTTP_PORT),
    purchasesPort: await fixedOrFree(config.PURCHASES_PORT),
    pspPort: await fixedOrFree(config.PSP_PORT),
    metricsPorts: await metricsPortsOf(config.METRICS_PORT),
  };
}

/** The ports of the roles as ports that must be free. A provider that the configuration names is not started and needs none. */
export function wantedPorts(config: Config, { apiPort, purchasesPort, pspPort, metricsPorts }: RolePorts): WantedPort[] {
  return [
    { port: apiPort, server: "the HTTP API", variable: "HTTP_PORT" },
    { port: purchasesPort, server: "the purchases API", variable: "PURCHASES_PORT" },
    ...(isPlayedHere(config) ? [{ port: pspPort, server: "the payment provider", variable: "PSP_PORT" }] : []),
    ...MEASURED_ROLES.map((role) => ({ port: metricsPorts[role], server: `the metrics of the ${role}`, variable: "METRICS_PORT" })),
  ];
}

/** With a fixed `first` port the measured roles have it and the next two, else free ports. */
async function metricsPortsOf(first: number | undefined): Promise<Readonly<Record<MeasuredRole, number>>> {
  const [worker = 0, bridge = 0, relay = 0] = await Promise.all(
    MEASURED_ROLES.map(async (_role, place) => (first === undefined || first === 0 ? freePort() : first + place)),
  );
  return { worker, bridge, relay };
}
