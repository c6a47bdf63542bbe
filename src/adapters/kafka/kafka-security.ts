import { connect as connectPlainly, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import type { KafkaConfig } from "kafkajs";
import { tlsFrom, type TlsFiles, type TlsOptions } from "../../base/tls-files.ts";
import type { KafkaSecurity } from "../../config/server-variables.ts";
import { brokerAddresses } from "./kafka-addresses.ts";
import { oauthLogin } from "./kafka-oauth.ts";
import { createTokenSource } from "./kafka-token.ts";

/** Kafka as its clients find it and are let in. */
export interface KafkaServers {
  readonly brokers: readonly string[];
  /** Without it everything goes over an open line and without a login. */
  readonly security?: KafkaSecurity | undefined;
}

/** As the client's own sockets. */
const KEEP_ALIVE_DELAY_MS = 60_000;

/**
 * The part of the client's settings that says where the brokers are and how they are spoken to; every client of Kafka is made with it. The
 * files of TLS are read for each connection, so that a renewed certificate is taken without a restart. `waitsForIssuer` is for who has
 * nothing else to do: while the issuer of tokens is away the client tries again instead of failing.
 */
export function kafkaConnection(
  { brokers, security = {} }: KafkaServers,
  { waitsForIssuer = false }: { readonly waitsForIssuer?: boolean } = {},
): Pick<KafkaConfig, "brokers" | "socketFactory" | "ssl" | "sasl"> {
  const { tls, sasl } = security;
  const { names, hostOf } = brokerAddresses(brokers);
  const secured = new Map<string, TlsOptions>();
  // Kept for each broker, so that the former files count while they are being renewed.
  const tlsTo = (host: string, files: TlsFiles): TlsOptions => {
    const known = secured.get(host) ?? tlsFrom(files, host);
    secured.set(host, known);
    return known;
  };
  return {
    brokers: names,
    // The client only asks whether there is one: the sockets are made here.
    ...(tls === undefined ? {} : { ssl: true }),
    ...(sasl === undefined ? {} : { sasl: saslOf(sasl, waitsForIssuer) }),
    socketFactory: ({ host: name, port, onConnect }) => {
      const host = hostOf(name);
      const socket: Socket =
        tls === undefined ? connectPlainly({ host, port }, onConnect) : connectSecurely({ ...tlsTo(host, tls), port }, onConnect);
      return socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    },
  };
}

function saslOf(sasl: NonNullable<KafkaSecurity["sasl"]>, waitsForIssuer: boolean): NonNullable<KafkaConfig["sasl"]> {
  switch (sasl.mechanism) {
    case "PLAIN":
      return { mechanism: "plain", username: sasl.username, password: sasl.password };
    case "SCRAM-SHA-256":
      return { mechanism: "scram-sha-256", username: sasl.username, password: sasl.password };
    case "SCRAM-SHA-512":
      return { mechanism: "scram-sha-512", username: sasl.username, password: sasl.password };
    case "OAUTHBEARER":
      return oauthLogin(createTokenSource(sasl), { waitsForIssuer });
  }
}
