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
 * A token that was refused is not offered again. With `waitsForIssuer` the client tries again by its own measure while the issuer gives no token; without
 * it the call fails at once. Throws: the client's error of a refused login, with the broker's code and without the token; the issuer's trouble.
 */
export function oauthLogin(token: TokenSource, { waitsForIssuer }: { readonly waitsForIssuer: boolean }): Mechanism {
  let refused: string | undefined;
  return {
    mechanism: "oauthbearer",
    authenticationProvider: ({ saslAuthenticate }) => ({
      async authenticate() {
        const send = (words: string) =>
          saslAuthenticate<string>({
            request: { encode: async () => withLength(Buffer.from(words)) },
            response: {
              decode: async (raw: Buffer) => raw.subarray(LENGTH_BYTES),
              parse: async (answer: Buffer) => answer.toString("utf8"),
            } as never,
          });
        // By this the broker ends the exchange and the connection. What is left open in the middle of a login the client takes for usable.
        const giveUp = () => send(SEPARATOR).catch(() => undefined);
        const value = await token(refused).catch(async (error: unknown) => {
          await giveUp();
          // Of an error without this word the client ends a consumer for good.
          throw waitsForIssuer ? Object.assign(new Error(messageOf(error), { cause: error }), { retriable: true }) : error;
        });
        const answer = await send(`n,,${SEPARATOR}auth=Bearer ${value}${SEPARATOR}${SEPARATOR}`).catch((error: unknown) => {
          // A lost connection says nothing of the token.
          if (error instanceof Error && "retriable" in error && error.retriable === true) throw error;
          refused = value;
          throw new LoginRefused(`SASL OAUTHBEARER: ${messageOf(error)}`);
        });
        if (answer === undefined || answer === "") return;
        refused = value;
        await giveUp();
        throw new LoginRefused(`SASL OAUTHBEARER: the broker refuses the token: ${statusOf(answer)}`);
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
