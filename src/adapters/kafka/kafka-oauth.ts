import type { KafkaConfig } from "kafkajs";
import { messageOf } from "../../base/errors.ts";
import { clientModule } from "./kafka-internals.ts";
import type { TokenSource } from "./kafka-token.ts";

type Mechanism = Extract<NonNullable<KafkaConfig["sasl"]>, { authenticationProvider: unknown }>;

const SEPARATOR = "\u0001";
const LENGTH_BYTES = 4;

/** By this class the client knows that trying again does not help. */
const { KafkaJSSASLAuthenticationError: LoginRefused } = clientModule("errors") as {
  readonly KafkaJSSASLAuthenticationError: new (message: string) => Error;
};

/**
 * The login by a token (RFC 7628). The client's own does not read the broker's answer: the broker refuses a token in the words of a successful
 * exchange, with the reason as its content, and the client would then go on as if it were let in (kafkajs/src/broker/saslAuthenticator/oauthBearer.js).
 * A token that was refused is not offered again. Throws: the client's error of a refused login, with the broker's code and without the token.
 */
export function oauthLogin(token: TokenSource): Mechanism {
  let refused: string | undefined;
  return {
    mechanism: "oauthbearer",
    authenticationProvider: ({ saslAuthenticate }) => ({
      async authenticate() {
        const value = await token(refused);
        const words = Buffer.from(`n,,${SEPARATOR}auth=Bearer ${value}${SEPARATOR}${SEPARATOR}`);
        const reason = await saslAuthenticate<string>({
          request: { encode: async () => withLength(words) } as never,
          response: {
            decode: async (raw: Buffer) => raw.subarray(LENGTH_BYTES),
            parse: async (answer: Buffer) => answer.toString("utf8"),
          } as never,
        }).catch((error: unknown) => {
          // A lost connection says nothing of the token.
          if (error instanceof Error && "retriable" in error && error.retriable === true) throw error;
          refused = value;
          throw new LoginRefused(`SASL OAUTHBEARER: ${messageOf(error)}`);
        });
        if (reason === undefined || reason === "") return;
        refused = value;
        throw new LoginRefused(`SASL OAUTHBEARER: the broker refuses the token: ${statusOf(reason)}`);
      },
    }),
  };
}

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

// Such as {"status":"invalid_token"}; nothing else of the answer is repeated.
function statusOf(answer: string): string {
  return /"status"\s*:\s*"([a-z_]{1,64})"/.exec(answer)?.[1] ?? "without a reason";
}
