/** What moves messages to one server: UDP sockets, a TCP or TLS stream, an HTTP/2 session. */
import type { Attempt } from './attempt.ts';

/** Why an attempt ended without a reply. */
export type Loss =
  /** The server's host says that nobody listens, or cannot be reached. */
  | 'refused'
  /** The connection ended before the reply came. */
  | 'closed'
  /** What came is not DNS, or not allowed to be this long. */
  | 'unusable';

export interface Carrier {
  /** Attempts on their way. */
  readonly inFlight: number;
  /** Gives the message an id, and queues it. False when there is no room; the attempt is then not taken. */
  send(attempt: Attempt, nowMs: number): boolean;
  /** Sends the very same message again. False when this carrier retransmits by itself. */
  resend(attempt: Attempt, nowMs: number): boolean;
  /** Forgets an attempt. Its id may then be used again. */
  forget(attempt: Attempt): void;
  flush(): void;
  /** Called about four times a second. */
  maintain(nowMs: number): void;
  close(): Promise<void>;
}

/** What a carrier tells the server it belongs to. */
export interface CarrierEvents {
  /** `octets[at … at + length)` came for `attempt`, which the carrier still holds. Only the id was compared. */
  received(attempt: Attempt, octets: Uint8Array, at: number, length: number): void;
  /** Something came that belongs to nothing asked. */
  stray(): void;
  /** The carrier no longer holds the attempt and nothing will come for it. */
  lost(attempt: Attempt, loss: Loss): void;
  /** Replies on one socket are being guessed: what it carried goes over TCP. The carrier still holds the attempts. */
  flooded(attempts: Attempt[], localPort: number): void;
  trouble(message: string): void;
}
