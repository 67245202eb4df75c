/**
 * When each question is due, to TICK_MS. A ring of lists: what is due at tick t hangs in list t mod SPOKES, so that
 * scheduling and cancelling cost a few assignments and one timer serves all questions.
 */
export const TICK_MS = 4;
/** 8 s: longer than any budget of a client, so an entry rarely sees its list pass before it is due. */
export const SPOKES = 2048;

/** What hangs in the wheel. The fields belong to the wheel. */
export interface Spoked {
  dueTick: number;
  spokeNext: this | null;
  spokePrevious: this | null;
  spoke: number;
}

export class Wheel<Item extends Spoked> {
  readonly #heads: (Item | null)[] = new Array<Item | null>(SPOKES).fill(null);
  #tick: number;
  #count = 0;

  constructor(nowMs: number) {
    this.#tick = Math.floor(nowMs / TICK_MS);
  }

  get count(): number {
    return this.#count;
  }

  /** Puts an item, or moves it, so that it is due at `dueMs` or up to a tick later, never in the current tick. */
  schedule(item: Item, dueMs: number): void {
    if (item.spoke !== -1) this.cancel(item);
    const tick = Math.max(this.#tick + 1, Math.ceil(dueMs / TICK_MS));
    const spoke = tick % SPOKES;
    const head = this.#heads[spoke];
    item.dueTick = tick;
    item.spoke = spoke;
    item.spokePrevious = null;
    item.spokeNext = head;
    if (head !== null) head.spokePrevious = item;
    this.#heads[spoke] = item;
    this.#count++;
  }

  cancel(item: Item): void {
    if (item.spoke === -1) return;
    if (item.spokePrevious === null) this.#heads[item.spoke] = item.spokeNext;
    else item.spokePrevious.spokeNext = item.spokeNext;
    if (item.spokeNext !== null) item.spokeNext.spokePrevious = item.spokePrevious;
    item.spokeNext = null;
    item.spokePrevious = null;
    item.spoke = -1;
    this.#count--;
  }

  /** Hands over, one by one and already out of the wheel, all that is due. They may be scheduled again meanwhile. */
  advance(nowMs: number, due: (item: Item) => void): void {
    const target = Math.floor(nowMs / TICK_MS);
    // After a long sleep of the process one turn of the ring sees every list.
    if (target - this.#tick > SPOKES) this.#tick = target - SPOKES;
    while (this.#tick < target) {
      this.#tick++;
      let item = this.#heads[this.#tick % SPOKES];
      while (item !== null) {
        // Looked up before the call, which may change the list; a neighbour that was cancelled meanwhile ends the walk
        // of this list early, and starting over from the head is right because handled items have left it.
        const next: Item | null = item.spokeNext;
        if (item.dueTick <= target) {
          this.cancel(item);
          due(item);
          item = next !== null && next.spoke === this.#tick % SPOKES ? next : this.#firstDue(target);
        } else {
          item = next;
        }
      }
    }
  }

  #firstDue(target: number): Item | null {
    let item = this.#heads[this.#tick % SPOKES];
    while (item !== null && item.dueTick > target) item = item.spokeNext;
    return item;
  }
}
