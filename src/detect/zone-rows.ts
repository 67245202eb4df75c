/** The rows of zones: who asks them since when, what form their names have, and how much a zone is trusted for it. */
import type { Charge, Profile } from './contract.ts';
import { Ledger, WEIGHT } from './ledger.ts';
import { ESTABLISHED_CLIENTS, ESTABLISHED_SECONDS, FORM_CLIENTS, HOME_CLIENTS, TRUST } from './limits.ts';
import { ZONE, ZONE_COLUMNS, ZONE_WORDS_MAX } from './memory.ts';
import { SERVICE_BUDGETS, SLOW_BUDGETS } from './profiles/services.ts';
import { count32, estimate, mark } from './sketch.ts';
import type { Zones } from './zones.ts';

/** Weight of a row for each client that asks the zone, so that what many ask is not given up for what one asks. */
const CLIENT_WEIGHT = 16;

export class ZoneRows extends Ledger {
  /** Of the last `judge`: the multiple that the budgets of a name and of an hour have. */
  loudTrust = 1;

  constructor(memory: SharedArrayBuffer) {
    super(memory, ZONE_COLUMNS);
  }

  /** Takes in that this client asks; true when nobody did before, as far as is remembered. */
  noteClient(row: number, client: number, now: number): boolean {
    const { ints, floats } = this;
    const isNew = ints[row + ZONE.FIRST] === 0;
    if (isNew) ints[row + ZONE.FIRST] = now;
    mark(ints, row + ZONE.CLIENTS_LOW, client);
    const weight = this.#clientsOf(row) * CLIENT_WEIGHT;
    if (floats[row + WEIGHT] < weight) floats[row + WEIGHT] = weight;
    return isNew;
  }

  /** Remembers the form that several clients share: a newcomer replaces one that nobody else used. */
  noteForm(row: number, shape: number, client: number): void {
    const { ints } = this;
    if (ints[row + ZONE.FORM] !== shape) {
      if (this.#formClientsOf(row) > 1) return;
      ints[row + ZONE.FORM] = shape;
      ints[row + ZONE.FORM_CLIENTS_LOW] = 0;
      ints[row + ZONE.FORM_CLIENTS_HIGH] = 0;
    }
    mark(ints, row + ZONE.FORM_CLIENTS_LOW, client);
  }

  /** Words that the names of the zone have shown. */
  wordsOf(row: number): number {
    return this.ints[row + ZONE.WORDS] & ZONE_WORDS_MAX;
  }

  noteWords(row: number, words: number): void {
    const { ints } = this;
    ints[row + ZONE.WORDS] =
      (ints[row + ZONE.WORDS] & ~ZONE_WORDS_MAX) | Math.min(ZONE_WORDS_MAX, this.wordsOf(row) + words);
  }

  /** Takes in that this client asks the zone for its directory, or has it in its search list. */
  noteHome(row: number, client: number): void {
    this.ints[row + ZONE.WORDS] |= 1 << (24 + (client & 7));
  }

  /**
   * Whether clients take the zone for the own network's. Two in one of the eight places count as one, so it may take
   * more of them than HOME_CLIENTS, never less.
   */
  #isHome(row: number): boolean {
    return count32(this.ints[row + ZONE.WORDS] >>> 24) >= HOME_CLIENTS;
  }

  /**
   * Writes standing, trust, clients and form to `charge`. `zones` has read the name; `labels` stand below the zone; `shape` is 0
   * for what has none.
   */
  judge(
    row: number,
    now: number,
    profile: Profile,
    zones: Zones,
    labels: number,
    shape: number,
    charge: Charge,
  ): void {
    const clients = this.#clientsOf(row);
    const known = zones.service;
    let trust: number;
    let loud: number;
    if (known !== null) {
      loud = SERVICE_BUDGETS[known.service.kind];
      trust = SLOW_BUDGETS[known.service.kind] ?? loud;
      charge.standing = 'service';
    } else if (zones.isShared) {
      const isSuffix = labels === zones.labels - zones.suffixLabels;
      trust = isSuffix ? TRUST.tenant : TRUST.strict;
      loud = trust;
      charge.standing = isSuffix ? 'suffix' : 'shared';
    } else if (zones.isPopular) {
      trust = TRUST.popular;
      loud = trust;
      charge.standing = 'popular';
    } else if (now - this.ints[row + ZONE.FIRST] >= ESTABLISHED_SECONDS && clients >= ESTABLISHED_CLIENTS) {
      trust = TRUST.established;
      loud = TRUST.establishedLoud;
      charge.standing = 'established';
    } else {
      trust = TRUST.stranger;
      loud = trust;
      charge.standing = 'stranger';
    }
    charge.isSharedForm =
      shape !== 0 && this.ints[row + ZONE.FORM] === shape && this.#formClientsOf(row) >= FORM_CLIENTS;
    if (known === null && profile === 'strict') {
      trust = Math.min(trust, TRUST.stranger) * TRUST.strict;
      loud = trust;
    } else if (known === null && charge.isSharedForm) loud *= TRUST.sharedForm;
    charge.isHome =
      (charge.standing === 'stranger' || charge.standing === 'established') &&
      profile !== 'strict' &&
      this.#isHome(row);
    charge.zoneClients = clients;
    charge.trust = trust;
    this.loudTrust = loud;
  }

  #clientsOf(row: number): number {
    return estimate(this.ints[row + ZONE.CLIENTS_LOW], this.ints[row + ZONE.CLIENTS_HIGH]);
  }

  #formClientsOf(row: number): number {
    return estimate(this.ints[row + ZONE.FORM_CLIENTS_LOW], this.ints[row + ZONE.FORM_CLIENTS_HIGH]);
  }
}
