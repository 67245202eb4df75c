/**
 * A question that waits for upstreams, and the attempts made for it. Both are made once and used again: nothing is
 * allocated for a query.
 *
 *    Asked ──┬── Attempt   server A, UDP, sent twice
 *            └── Attempt   server B, UDP, sent once (hedge)
 */

import type { Carrier } from './carrier.ts';
import type { Asker } from './contract.ts';
import type { Pool } from './pool.ts';
import type { Server } from './server.ts';
import type { Spoked } from './wheel.ts';

/** Most octets of a message to an upstream: 12 + 255 + 4, OPT 11, cookie 44, padding to a multiple of 128. */
const MESSAGE_CAPACITY = 512;

/** One message to one server over one transport. A retransmission is the same attempt: same octets, id and port. */
export class Attempt {
  asked: Asked | null = null;
  server: Server | null = null;
  carrier: Carrier | null = null;
  /** Where the carrier finds its own record of it: a socket's index, a link. */
  place: object | null = null;
  key = 0;
  id = 0;
  readonly message = new Uint8Array(MESSAGE_CAPACITY);
  length = 0;
  /** Position behind the question in `message`. */
  questionEnd = 0;
  edns = false;
  mixedCase = false;
  /** A client cookie was sent along. */
  cookie = false;
  sentMs = 0;
  sends = 0;
  /** When it was last sent; the first time is what a round trip is measured from. */
  lastSentMs = 0;
  /** The wait for what was last sent is known to have been in vain. */
  isOverdue = false;
  mismatches = 0;
  /** Replies to come, one for each time it was sent. Late or double ones among them are no sign of an attack. */
  repliesDue = 0;
  /** Position in `asked.attempts`. */
  index = 0;
}

/** A question of the query path while upstreams are asked. */
export class Asked implements Spoked {
  readonly name = new Uint8Array(255);
  nameLength = 0;
  type = 0;
  dnssecOk = false;
  checkingDisabled = false;

  pool: Pool | null = null;
  asker: Asker | null = null;
  deadlineMs = 0;
  /** The asker has been told; what is left only awaits echoes and late replies. */
  done = true;
  isLingering = false;
  /** It was found unwanted, and counted so. */
  isAbandoned = false;
  /** Messages sent so far, over all servers and transports. */
  messages = 0;
  readonly attempts: Attempt[] = [];
  /** A health probe asks this server and no other. */
  only: Server | null = null;

  /** Bits by the server's index in its pool. */
  tried = 0;
  streamed = 0;
  refused = 0;
  /** Servers that said FORMERR to EDNS: this question goes to them without it. Never remembered beyond. */
  plain = 0;
  /** Servers whose BADCOOKIE was followed by a second try. */
  recooked = 0;
  /** Something came that could not be believed or understood. */
  unusable = false;
  /** A server has replied, if only to say that it has no answer: none that is down is worth a wait besides. */
  heard = false;
  /** Servers that are asked over TCP because of what others sent over UDP. */
  doubted = 0;
  /** A connection ended before the reply was there. */
  cut = false;
  /** A server could take no more. */
  full = false;

  /** The last reply that says a server would not or could not: handed on when no server does better. */
  spare: Uint8Array | null = null;
  spareServer = '';
  spareTrusted = false;

  dueTick = 0;
  spokeNext: this | null = null;
  spokePrevious: this | null = null;
  spoke = -1;

  begin(pool: Pool, asker: Asker, deadlineMs: number): void {
    this.pool = pool;
    this.asker = asker;
    this.deadlineMs = deadlineMs;
    this.done = false;
    this.messages = 0;
    this.isAbandoned = false;
    this.only = null;
    this.tried = 0;
    this.streamed = 0;
    this.refused = 0;
    this.plain = 0;
    this.recooked = 0;
    this.unusable = false;
    this.heard = false;
    this.doubted = 0;
    this.cut = false;
    this.full = false;
    this.spare = null;
    this.spareServer = '';
    this.spareTrusted = false;
  }
}

/** Objects handed out and taken back, at most `most` at once. */
export class Stock<Item> {
  readonly #free: Item[] = [];
  readonly #make: () => Item;
  readonly most: number;
  #made = 0;

  constructor(most: number, make: () => Item) {
    this.most = most;
    this.#make = make;
  }

  get inUse(): number {
    return this.#made - this.#free.length;
  }

  /** `null` when all are in use. */
  take(): Item | null {
    const item = this.#free.pop();
    if (item !== undefined) return item;
    if (this.#made >= this.most) return null;
    this.#made++;
    return this.#make();
  }

  give(item: Item): void {
    this.#free.push(item);
  }
}
