/** What a denied client gets, by the choice of its group or of the rule. */
import { Rrtype } from '../wire/index.ts';
import type { Ending } from './outcome.ts';
import type { Query } from './query.ts';
import { respondAddress, respondDenied, respondEmpty } from './respond.ts';

/** Writes what a denied client gets. `drop` leaves rcode −1: nothing is sent. */
export function writeDenial(query: Query, ending: Ending, cookie: Uint8Array): void {
  const { response } = ending;
  switch (response?.kind) {
    case 'drop':
      query.rcode = -1;
      return;
    case 'address': {
      const address =
        query.qtype === Rrtype.A ? response.a : query.qtype === Rrtype.AAAA ? response.aaaa : null;
      if (address === null) respondDenied(query, ending.rcode, ending.ede, cookie);
      else respondAddress(query, query.qtype, address, ending.ede, cookie);
      return;
    }
    case 'refused':
      respondEmpty(query, ending.rcode, ending.ede, cookie);
      return;
    default:
      respondDenied(query, ending.rcode, ending.ede, cookie);
  }
}
