import type { ApiSettings } from "../../src/api/deps.ts";
import type { ClientAddresses } from "../../src/api/http/client-address.ts";
import type { Config } from "../../src/config.ts";
import { incomingGroups } from "./incoming-groups.ts";
import { orderSettings } from "./order-settings.ts";
import { ownVersion } from "./own-version.ts";
import { webhookKeyOf } from "./webhook-port.ts";

/** The settings of the HTTP API by the configuration. */
export function apiSettings(config: Config, addresses: ClientAddresses): ApiSettings {
  const encryptionKey = webhookKeyOf(config);
  return {
    version: ownVersion(),
    defaultCurrency: config.DEFAULT_CURRENCY,
    reportTimeZone: config.REPORT_TZ,
    maxBodyBytes: config.MAX_BODY_BYTES,
    corsOrigins: config.CORS_ORIGINS,
    isSecure: addresses.isSecure,
    onlyLocalHosts: config.AUTH_MODE === "off",
    streams: { perSubject: config.STREAMS_PER_USER, inAll: config.STREAMS_IN_ALL },
    ...(config.METRICS_TOKEN === undefined ? {} : { metricsToken: config.METRICS_TOKEN }),
    ...(config.SERVER_URL === undefined ? {} : { serverUrl: config.SERVER_URL }),
    reservationTtl: {
      defaultMs: config.RESERVATION_TTL_MS,
      minMs: config.RESERVATION_TTL_MIN_MS,
      maxMs: config.RESERVATION_TTL_MAX_MS,
      expiringMs: config.RESERVATION_EXPIRING_MS,
      graceMs: config.RESERVATION_GRACE_MS,
    },
    orders: orderSettings(config),
    testClock: config.NODE_ENV !== "production",
    eventTopics: incomingGroups(config).map(({ topic }) => topic),
    webhooks: {
      allowHttp: config.WEBHOOK_ALLOW_HTTP,
      allowPrivate: config.WEBHOOK_ALLOW_PRIVATE,
      ...(encryptionKey === undefined ? {} : { encryptionKey }),
    },
  };
}
