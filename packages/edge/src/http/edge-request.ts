// Node's incoming request, which leaves the parser only for a WebSocket.
import { IncomingMessage } from "node:http";
import type { BodyReader, VisitorBody } from "./visitor-body.ts";

/**
 * A request of a visitor. Node 20 hands every request with an Upgrade field over as a bare socket as soon as anybody
 * listens for upgrades, body unread (`shouldUpgradeCallback` came with 22.21 and 24.9). But it asks the request's own
 * `upgrade` property first, so the answer is given here: only a WebSocket upgrade is one. All others are plain requests
 * whose Upgrade field is dropped, as RFC 9110 section 7.8 allows.
 */
export class EdgeRequest extends IncomingMessage implements VisitorBody {
  // Set by Node, in IncomingMessage's constructor already: a private field would not exist yet.
  declare upgradeFlag: boolean | null;
  #reader: BodyReader | undefined;

  get upgrade(): boolean | null {
    return this.upgradeFlag === true && this.#isWebSocket();
  }

  set upgrade(flag: boolean | null) {
    this.upgradeFlag = flag;
  }

  /**
   * Whether the parser thinks that another protocol follows, which is not going to happen. It may have lost bytes
   * behind the request then, so the connection must not serve another.
   */
  get endsConnection(): boolean {
    return this.upgradeFlag === true;
  }

  readBy(reader: BodyReader): void {
    if (this.#reader === undefined) {
      this.on("data", (piece: Buffer) => this.#reader!.onPiece(piece));
      this.on("end", () => this.#reader!.onBodyEnd(this.rawTrailers));
    }
    this.#reader = reader;
    // Whoever read before may have paused it.
    this.resume();
  }

  // CONNECT is answered as a request, by the same phases as every other.
  #isWebSocket(): boolean {
    return (
      this.method !== "CONNECT" &&
      this.httpVersionMinor === 1 &&
      this.headers.upgrade?.trim().toLowerCase() === "websocket"
    );
  }
}
