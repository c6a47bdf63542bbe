import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** More requests than this behind one that is not answered yet, and the connection is cut: Node's parser bounds them by nothing. */
const MAX_WAITING = 100;

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

interface Turn {
  answering: ServerResponse;
  readonly waiting: (readonly [IncomingMessage, ServerResponse, Handle])[];
}

/** The requests of a connection, one after the other. */
export interface ConnectionTurns {
  /**
   * Handles a request once the answers to those before it on its connection have ended (HTTP pipelining). A connection that is cut or
   * closed takes with it all that wait on it: they were never begun, so they hold nothing.
   */
  take(request: IncomingMessage, response: ServerResponse, handle: Handle): void;
  /** The answer that this connection waits for at this moment. */
  answering(socket: Socket): ServerResponse | undefined;
}

/**
 * Node hands out a pipelined request as soon as it is read, and an answer that waits behind another hears nothing of the connection's end:
 * what its handler took would never be given back.
 */
export function createConnectionTurns(): ConnectionTurns {
  const turns = new WeakMap<Socket, Turn>();

  const begin = (turn: Turn, [request, response, handle]: Turn["waiting"][number]): void => {
    turn.answering = response;
    response.once("close", () => {
      const next = turn.waiting.shift();
      // After an answer with `Connection: close` the socket takes no other answer (RFC 9112, 9.6).
      if (next !== undefined && request.socket.writable) begin(turn, next);
      else turns.delete(request.socket);
    });
    handle(request, response);
  };

  return {
    take(request, response, handle) {
      const { socket } = request;
      const turn = turns.get(socket);
      if (turn === undefined) {
        const first: Turn = { answering: response, waiting: [] };
        turns.set(socket, first);
        begin(first, [request, response, handle]);
      } else if (turn.waiting.length < MAX_WAITING) turn.waiting.push([request, response, handle]);
      else socket.destroy();
    },
    answering: (socket) => turns.get(socket)?.answering,
  };
}
