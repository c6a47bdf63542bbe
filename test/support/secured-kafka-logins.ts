/** The settings of a broker that asks for a login instead of a certificate, and the users it knows. */
export const KAFKA_LOGIN = { username: "saldo", password: "a-pass-word" } as const;

const PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule";
const OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
const UNSECURED = "org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler";
const ofListener = "listener.name.outside";

export const KAFKA_LOGIN_SETTINGS: Readonly<Record<string, string>> = {
  "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
  [`${ofListener}.plain.sasl.jaas.config`]: `${PLAIN} required user_${KAFKA_LOGIN.username}="${KAFKA_LOGIN.password}";`,
  [`${ofListener}.scram-sha-256.sasl.jaas.config`]: `${SCRAM} required;`,
  [`${ofListener}.scram-sha-512.sasl.jaas.config`]: `${SCRAM} required;`,
  // Tokens that nobody signed: what is tested is that a token comes and is renewed, not who may issue it.
  [`${ofListener}.oauthbearer.sasl.jaas.config`]: `${OAUTH} required unsecuredLoginStringClaim_sub="broker";`,
  [`${ofListener}.oauthbearer.sasl.server.callback.handler.class`]: UNSECURED,
  // A session lasts as long as its token at most; the client logs in anew on the same connection.
  "connections.max.reauth.ms": "60000",
};

export const KAFKA_SCRAM_USERS: readonly string[] = ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(
  (mechanism) => `${mechanism}=[name=${KAFKA_LOGIN.username},password=${KAFKA_LOGIN.password}]`,
);

/** A token that nobody signed, as the broker of `KAFKA_LOGIN_SETTINGS` takes it. */
export function unsignedToken(subject: string, lifeSeconds: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const nowSeconds = Date.now() / 1_000;
  return `${part({ alg: "none" })}.${part({ sub: subject, iat: nowSeconds - 1, exp: nowSeconds + lifeSeconds })}.`;
}
