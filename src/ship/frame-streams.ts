/**
 * Frame Streams, bidirectional: how dnstap travels.
 *
 *    writer                        reader
 *    READY (content type) ───────▶
 *                         ◀─────── ACCEPT (content type)
 *    START (content type) ───────▶
 *    data frames          ───────▶
 *    STOP                 ───────▶
 *                         ◀─────── FINISH          everything before it has been read
 *
 * A data frame is its length (32 bits) and as many octets; a control frame begins with a length of 0, then its own length,
 * its type, and fields.
 */
import type { Connection } from './connection.ts';

const Control = { ACCEPT: 1, START: 2, STOP: 3, READY: 4, FINISH: 5 } as const;
const CONTENT_TYPE = 1;
/** Longest control frame of the specification. */
const CONTROL_MAX = 512;
/** Frames are handed over in pieces of about this size, each with its own time to be read. */
const PIECE = 64 * 1024;

export class FrameWriter {
  readonly #connection: Connection;
  #answers: number[] = [];
  #accepts: string[] = [];
  #broken: Error | null = null;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(connection: Connection) {
    this.#connection = connection;
    connection.onData((octets) => this.#take(octets));
  }

  /** Agrees on the content type. Rejects when the reader wants another one or is no reader of Frame Streams. */
  static async open(connection: Connection, contentType: string): Promise<FrameWriter> {
    const writer = new FrameWriter(connection);
    await connection.write(controlFrame(Control.READY, contentType));
    await writer.#expect(Control.ACCEPT, 'does not accept the stream');
    if (!writer.#accepts.includes(contentType)) {
      throw new Error(
        `the receiver accepts ${writer.#accepts.join(', ') || 'no content type'}, not ${contentType}`,
      );
    }
    await connection.write(controlFrame(Control.START, contentType));
    return writer;
  }

  async write(frames: Iterable<Uint8Array>): Promise<void> {
    let parts: Uint8Array[] = [];
    let length = 0;
    for (const frame of frames) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(frame.length);
      parts.push(head, frame);
      length += frame.length + 4;
      if (length < PIECE) continue;
      await this.#connection.write(Buffer.concat(parts));
      parts = [];
      length = 0;
    }
    if (parts.length > 0) await this.#connection.write(Buffer.concat(parts));
  }

  /** Resolves once the reader says that it has read all; the connection is closed then. */
  async finish(): Promise<void> {
    await this.#connection.write(controlFrame(Control.STOP, null));
    await this.#expect(Control.FINISH, 'does not answer STOP with FINISH');
    this.#connection.close();
  }

  close(): void {
    this.#connection.close();
  }

  async #expect(type: number, silence: string): Promise<void> {
    await this.#connection.until(silence, () => {
      if (this.#broken !== null) throw this.#broken;
      if (this.#answers.includes(type)) return true;
      if (this.#connection.ended) throw new Error(`the receiver closed the connection: it ${silence}`);
      return false;
    });
    this.#answers = [];
  }

  #take(octets: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, octets]);
    while (this.#rest.length >= 12 && this.#broken === null) {
      const length = this.#rest.readUInt32BE(4);
      if (this.#rest.readUInt32BE(0) !== 0 || length < 4 || length > CONTROL_MAX) {
        this.#broken = new Error('the receiver answers with what is no control frame of Frame Streams');
        return;
      }
      if (this.#rest.length < 8 + length) return;
      this.#answers.push(this.#rest.readUInt32BE(8));
      this.#readFields(this.#rest.subarray(12, 8 + length));
      this.#rest = this.#rest.subarray(8 + length);
    }
  }

  #readFields(fields: Buffer): void {
    for (let at = 0; at + 8 <= fields.length; ) {
      const length = fields.readUInt32BE(at + 4);
      if (fields.readUInt32BE(at) === CONTENT_TYPE)
        this.#accepts.push(fields.toString('latin1', at + 8, at + 8 + length));
      at += 8 + length;
    }
  }
}

function controlFrame(type: number, contentType: string | null): Buffer {
  const text = Buffer.from(contentType ?? '', 'latin1');
  const fields = contentType === null ? 0 : 8 + text.length;
  const octets = Buffer.alloc(12 + fields);
  octets.writeUInt32BE(4 + fields, 4);
  octets.writeUInt32BE(type, 8);
  if (contentType !== null) {
    octets.writeUInt32BE(CONTENT_TYPE, 12);
    octets.writeUInt32BE(text.length, 16);
    text.copy(octets, 20);
  }
  return octets;
}
