/**
 * Reading a connection into memory that is there already: one room for all connections of the thread, in place of a buffer, its
 * object and a pass through the machinery of streams for each read. A fifth of what a query over TCP costs outside the
 * kernel.
 *
 * Node has this as the option `onread` of sockets that one connects (since 12.10), and no way to give it to a socket that a
 * server accepted. Here the same three things are done to it afterwards: its handle is told the room, and the socket where
 * the room is and who takes what was read. They have names that are Node's own; a Node that has others hands over chunks
 * by 'data', as ever.
 */
import type { Socket } from 'node:net';

/** Takes octets[0 … length), a Buffer; they are others' as soon as it returns. */
export type Intake = (octets: Buffer, length: number) => void;

/** Most octets of one read; what Node reads at once by itself. */
const ROOM_LENGTH = 65_536;

let room: Buffer | null = null;

interface Handle {
  useUserBuffer?(room: Uint8Array): void;
}

/** Hands everything that `socket` receives to `intake`; returns whether it is read into the common room. */
export function takeIn(socket: Socket, intake: Intake): boolean {
  // What was received before, and all of it where the room cannot be used.
  socket.on('data', (chunk: Buffer) => intake(chunk, chunk.length));
  const fields = socket as unknown as { _handle?: Handle | null } & Record<symbol, unknown>;
  const handle = fields._handle;
  const names = namesOf(socket);
  if (names === null || typeof handle?.useUserBuffer !== 'function') return false;
  room ??= Buffer.allocUnsafeSlow(ROOM_LENGTH);
  const octets = room;
  fields[names.buffer] = octets;
  fields[names.taker] = (length: number): boolean => {
    intake(octets, length);
    return true;
  };
  handle.useUserBuffer(octets);
  return true;
}

interface Names {
  readonly buffer: symbol;
  readonly taker: symbol;
}

let known: Names | null | undefined;

/** The two fields of a socket, found once: they are the same symbols on all of them. */
function namesOf(socket: Socket): Names | null {
  if (known !== undefined) return known;
  const symbols = Object.getOwnPropertySymbols(socket);
  const named = (name: string): symbol | undefined => symbols.find(({ description }) => description === name);
  const buffer = named('kBuffer');
  const taker = named('kBufferCb');
  // Asked for the next room after each read unless it is null.
  const next = named('kBufferGen');
  const isKnown = next !== undefined && (socket as unknown as Record<symbol, unknown>)[next] === null;
  known = !isKnown || buffer === undefined || taker === undefined ? null : { buffer, taker };
  return known;
}
