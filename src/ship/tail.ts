/**
 * The log of one worker, read from a place on, over the ends of segments.
 *
 * A record is handed out once a line of structure stands behind it whose tree is not larger than that of the newest
 * checkpoint on the disk. So whatever a receiver has, the log has, after a power cut too, and a number is never used again
 * for another record, on either side.
 *
 *    {"seq":7}{"seq":8}{"type":"checkpoint","size":40}{"seq":9}{"type":"block","size":41}{"seq":10}
 *    └──────── handed out once w0.head says 40 ──────┘└──────── once it says 41 ────────┘└─ waits
 */
import {
  type AuditRecord,
  confirmedSize,
  openSealed,
  type Place,
  parseLine,
  readSealed,
  readSegmentName,
  type SegmentName,
  segmentNames,
  shipKeysOf,
} from '../audit/index.ts';
import { openSource, type SegmentSource } from './segment-source.ts';

/** A record, or records that are missing, and the place behind. */
export interface Item {
  readonly place: Place;
  readonly record: AuditRecord | null;
  readonly line: string;
  readonly lost: { readonly from: number; readonly to: number; readonly why: string } | null;
}

/** More octets than this wait in memory for no checkpoint; a batch of the log has at most 16 MiB. */
const WAITING_MAX = 32 * 1024 * 1024;
const NEWLINE = 10;
const SEALED = /^\{"type":"sealed","seq":(\d{1,16}),"count":(\d{1,9}),/;
const GONE = 'they were deleted or damaged before they were shipped';
const ENCRYPTED =
  'they are encrypted (audit.encryptTo), and the key of their segment was not kept for shipping, or is lost';

/** Name of a segment as a place has it. */
const plainName = (file: string): string => file.replace(/\.(gz|zst)$/, '');

const ownNames = (directory: string, worker: number): SegmentName[] => {
  try {
    return segmentNames(directory).filter((name) => name.worker === worker);
  } catch {
    // The directory is gone; the log makes it anew.
    return [];
  }
};

export class WorkerTail {
  readonly worker: number;
  readonly #directory: string;
  /** Behind the last item that was handed out. */
  #place: Place;
  #segment: SegmentName | null = null;
  #source: SegmentSource | null = null;
  /** Keys of the segment where its records are encrypted; null before they were needed. */
  #keys: ReadonlyMap<string, Buffer> | null = null;
  /** Octets read whose line has no end yet, and where they begin. */
  #rest: Buffer = Buffer.alloc(0);
  #restAt = 0;
  /** Number of the last record read; null: the log began anew, and its header says. */
  #seq: number | null;
  #items: Item[] = [];
  #itemOctets = 0;
  /** Lines of structure behind items: size of the tree, and how many of the items are before it. */
  #marks: { readonly size: number; count: number }[] = [];
  /** The place whose segment was read again from its beginning because something did not fit. */
  #lookedAgainAt: Place | null = null;

  constructor(directory: string, worker: number, place: Place) {
    this.#directory = directory;
    this.worker = worker;
    this.#place = place;
    this.#seq = place.seq;
  }

  get place(): Place {
    return this.#place;
  }

  /** Goes back: what was handed out since is handed out again. */
  rewind(place: Place): void {
    this.#place = place;
    this.#seq = place.seq;
    this.#forget();
  }

  close(): void {
    this.#forget();
  }

  #forget(): void {
    this.#source?.close();
    this.#source = null;
    this.#segment = null;
    this.#rest = Buffer.alloc(0);
    this.#items = [];
    this.#itemOctets = 0;
    this.#marks = [];
  }

  /** The next items that are on the disk for good, at most so many. Throws what the file system says. */
  async read(countMax: number, octetsMax: number): Promise<Item[]> {
    let ready = this.#readyCount();
    if (ready < countMax) {
      await this.#fill(countMax);
      ready = this.#readyCount();
    }
    let count = 0;
    let octets = 0;
    while (count < ready && count < countMax && octets < octetsMax)
      octets += this.#items[count++].line.length;
    const items = this.#items.splice(0, count);
    this.#itemOctets -= octets;
    for (const mark of this.#marks) mark.count -= count;
    this.#marks = this.#marks.filter((mark) => mark.count > 0);
    this.#place = items.at(-1)?.place ?? this.#place;
    return items;
  }

  #readyCount(): number {
    if (this.#marks.length === 0) return 0;
    const size = confirmedSize(this.#directory, this.worker);
    return this.#marks.findLast((mark) => mark.size <= size)?.count ?? 0;
  }

  async #fill(countMax: number): Promise<void> {
    while (this.#items.length < countMax + 2000 && this.#itemOctets < WAITING_MAX) {
      if (this.#source === null && !this.#open()) return;
      if (await this.#readPiece()) continue;
      const next = this.#successor();
      if (next === null) return;
      // What was written between looking and the beginning of the next segment.
      if (await this.#readPiece()) continue;
      this.#source?.close();
      this.#begin(next, 0);
    }
  }

  /** Whether there was something to read. */
  async #readPiece(): Promise<boolean> {
    const piece = await this.#source!.next();
    if (piece === null) {
      this.#lookAgain();
      return true;
    }
    if (piece.length === 0) return false;
    this.#split(piece);
    return true;
  }

  /** Opens the segment of the place, or the next that is there; false when there is none yet. */
  #open(): boolean {
    const names = ownNames(this.#directory, this.worker);
    const place = this.#place;
    const number = readSegmentName(place.file)?.number ?? 0;
    const name = names.find((one) => one.number >= number) ?? names[0];
    if (name === undefined) return false;
    const isSame = plainName(name.file) === place.file;
    if (!isSame && name.number <= number) {
      // The segments were moved away and the log began anew: its numbers say nothing about the old ones.
      this.#seq = null;
    }
    this.#begin(name, isSame && !this.#isSecondLook ? place.octet : 0);
    return true;
  }

  #begin(name: SegmentName, octet: number): void {
    this.#source = openSource(this.#directory, name, octet);
    this.#segment = name;
    this.#keys = null;
    this.#rest = Buffer.alloc(0);
    this.#restAt = octet;
  }

  #successor(): SegmentName | null {
    const number = this.#segment?.number ?? 0;
    return ownNames(this.#directory, this.worker).find((name) => name.number > number) ?? null;
  }

  #split(piece: Buffer): void {
    const octets = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    let at = 0;
    for (let end = octets.indexOf(NEWLINE); end >= 0; end = octets.indexOf(NEWLINE, at)) {
      if (!this.#takeLine(octets.toString('utf8', at, end), this.#restAt + end + 1)) return;
      at = end + 1;
    }
    this.#rest = octets.subarray(at);
    this.#restAt += at;
  }

  /** False when the line does not fit where it stands and the segment is read again. */
  #takeLine(line: string, octet: number): boolean {
    if (/^\{"type":"(?:segment|block|checkpoint)"/.test(line)) return this.#takeStructure(line);
    const sealed = SEALED.exec(line);
    if (sealed !== null) return this.#takeSealed(line, Number(sealed[1]), Number(sealed[2]), octet);
    const found = parseLine(line, this.worker);
    // A line torn by a crash has no newline; this one is damaged, or was read while it was taken back.
    if (found === null) return this.#isSecondLook || this.#lookAgain();
    const { seq } = found.record;
    if (this.#seq !== null && seq <= this.#seq) return true;
    if (this.#seq !== null && seq > this.#seq + 1) {
      if (!this.#isSecondLook) return this.#lookAgain();
      this.#push(this.#placeAt(octet, seq - 1), null, '', {
        from: this.#seq + 1,
        to: seq - 1,
        why: GONE,
      });
    }
    this.#push(this.#placeAt(octet, seq), found.record, line, null);
    return true;
  }

  /** Records that were encrypted before they were written, opened with the key that was kept for this. */
  #takeSealed(line: string, seq: number, count: number, octet: number): boolean {
    const to = seq + count - 1;
    if (this.#seq !== null && to <= this.#seq) return true;
    if (this.#seq !== null && seq > this.#seq + 1) {
      if (!this.#isSecondLook) return this.#lookAgain();
      this.#push(this.#placeAt(octet, seq - 1), null, '', { from: this.#seq + 1, to: seq - 1, why: GONE });
    }
    const records = this.#openSealed(line);
    if (records === null) {
      this.#push(this.#placeAt(octet, to), null, '', {
        from: (this.#seq ?? seq - 1) + 1,
        to,
        why: ENCRYPTED,
      });
      return true;
    }
    for (const text of records) {
      const found = parseLine(text, this.worker);
      if (found === null || (this.#seq !== null && found.record.seq <= this.#seq)) continue;
      // Whoever goes on in the middle of the line reads it again from its beginning.
      const at = found.record.seq === to ? octet : octet - line.length - 1;
      this.#push(this.#placeAt(at, found.record.seq), found.record, text, null);
    }
    return true;
  }

  /** The lines in a sealed one; null when there is no key for it. */
  #openSealed(line: string): string[] | null {
    const sealed = readSealed(line);
    this.#keys ??= shipKeysOf(this.#directory, this.#segment!.file);
    const secret = sealed === null ? undefined : this.#keys.get(sealed.key);
    if (sealed === null || secret === undefined) return null;
    try {
      return openSealed(sealed, secret).toString('utf8').split('\n').slice(0, -1);
    } catch {
      // It was changed; `audit verify` says so.
      return null;
    }
  }

  #takeStructure(line: string): boolean {
    let parsed: { type: string; size?: number; seq?: number; tree?: { size: number } };
    try {
      parsed = JSON.parse(line);
    } catch {
      return this.#isSecondLook || this.#lookAgain();
    }
    if (parsed.type === 'segment') this.#takeHeader(parsed.seq ?? 1);
    const size = parsed.type === 'segment' ? parsed.tree?.size : parsed.size;
    if (size !== undefined && this.#items.length > 0) this.#marks.push({ size, count: this.#items.length });
    return true;
  }

  /** A header says with which number its segment begins: what was read beyond was taken back, what is missing is gone. */
  #takeHeader(first: number): void {
    const file = plainName(this.#segment!.file);
    // Of the segment of the place the records up to it are skipped.
    if (file === this.#place.file && this.#seq !== null) return;
    while ((this.#items.at(-1)?.place.seq ?? 0) >= first) this.#itemOctets -= this.#items.pop()!.line.length;
    for (const mark of this.#marks) mark.count = Math.min(mark.count, this.#items.length);
    const last = this.#items.at(-1)?.place.seq ?? this.#place.seq;
    if (this.#seq !== null && first > last + 1) {
      this.#push({ file, octet: 0, seq: first - 1 }, null, '', { from: last + 1, to: first - 1, why: GONE });
    }
    this.#seq = first - 1;
  }

  #placeAt(octet: number, seq: number): Place {
    return { file: plainName(this.#segment!.file), octet, seq };
  }

  #push(place: Place, record: AuditRecord | null, line: string, lost: Item['lost']): void {
    const last = this.#items.at(-1);
    const isMarked = (this.#marks.at(-1)?.count ?? 0) >= this.#items.length;
    if (lost !== null && !isMarked && last?.lost?.why === lost.why && last.lost.to + 1 === lost.from) {
      // Of a long stretch that is lost one thing is said, not one for each line.
      this.#items.pop();
      this.#items.push({ place, record: null, line: '', lost: { ...lost, from: last.lost.from } });
      this.#seq = place.seq;
      return;
    }
    this.#items.push({ place, record, line, lost });
    this.#itemOctets += line.length;
    this.#seq = place.seq;
  }

  /** The segment of the place is being read from its beginning: what does not fit now is lost. */
  get #isSecondLook(): boolean {
    return this.#lookedAgainAt === this.#place;
  }

  #lookAgain(): false {
    this.rewind(this.#place);
    this.#lookedAgainAt = this.#place;
    return false;
  }
}

/** The place before the oldest record of a worker; null while no segment has a whole header. */
export async function startOf(directory: string, worker: number): Promise<Place | null> {
  const [name] = ownNames(directory, worker);
  if (name === undefined) return null;
  const source = openSource(directory, name, 0);
  let octets: Buffer = Buffer.alloc(0);
  try {
    for (;;) {
      const end = octets.indexOf(NEWLINE);
      if (end >= 0) {
        const seq = headerSeq(octets.toString('latin1', 0, end));
        return seq === null ? null : { file: plainName(name.file), octet: 0, seq };
      }
      const piece = await source.next();
      if (piece === null || piece.length === 0) return null;
      octets = Buffer.concat([octets, piece]);
    }
  } finally {
    source.close();
  }
}

/** The place behind the newest record of a worker that stands in whole lines; null when there is no segment. */
export async function endOf(directory: string, worker: number): Promise<Place | null> {
  const name = ownNames(directory, worker).at(-1);
  if (name === undefined) return null;
  const source = openSource(directory, name, 0);
  let place: Place = { file: plainName(name.file), octet: 0, seq: 0 };
  let rest: Buffer = Buffer.alloc(0);
  try {
    for (;;) {
      const piece = await source.next();
      if (piece === null || piece.length === 0) return place;
      const octets = Buffer.concat([rest, piece]);
      let at = 0;
      for (let end = octets.indexOf(NEWLINE); end >= 0; end = octets.indexOf(NEWLINE, at)) {
        const seq = seqOf(octets.toString('latin1', at, Math.min(end, at + 120)));
        const header = place.octet === 0 ? headerSeq(octets.toString('latin1', at, end)) : null;
        place = { ...place, octet: place.octet + end + 1 - at, seq: seq ?? header ?? place.seq };
        at = end + 1;
      }
      rest = octets.subarray(at);
    }
  } finally {
    source.close();
  }
}

const SEQ = /^\{(?:"type":"[a-z-]+",)?"seq":(\d+)(?:,"count":(\d+),"key":)?/;
/** Number of a record, or of the last one in a line of encrypted ones. */
const seqOf = (beginning: string): number | null => {
  const found = SEQ.exec(beginning);
  return found === null ? null : Number(found[1]) + Number(found[2] ?? 1) - 1;
};

/** The number before the first record of a segment, from its header. */
function headerSeq(line: string): number | null {
  try {
    const { type, seq } = JSON.parse(line) as { type?: unknown; seq?: unknown };
    return type === 'segment' && typeof seq === 'number' ? seq - 1 : null;
  } catch {
    return null;
  }
}
