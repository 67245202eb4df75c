/** What an alarm says to people: what was counted against which bound, what had left before, what is known of the zone. */
import type { Content } from './content.ts';
import type { AlarmRule, Charge } from './contract.ts';
import { LEFT_QUERIES_MAX } from './memory.ts';
import type { Zones } from './zones.ts';

/** `name`, `zone`: as they may be written. */
export function countedSentence(
  rule: AlarmRule,
  name: string,
  content: Content,
  score: number,
  limit: number,
  zone: string,
): string {
  if (rule === 'download') {
    return `Answers below ${zone} in types that carry free text brought ${Math.round(score)} octets within an hour; ${Math.round(limit)} are ordinary. Last: ${name}.`;
  }
  const what = `${content.labels} labels, longest word ${content.longest} characters, ${content.newWords} words this zone had not shown`;
  return rule === 'name'
    ? `The name ${name} says about ${Math.round(score)} bits that read like data (${what}); one name may say ${Math.round(limit)}.`
    : `Names below ${zone} said ${Math.round(score)} bits that read like data within an hour; ${Math.round(limit)} are ordinary. Last: ${name} (${what}).`;
}

/** `left`: the column of a pair, queries above octets. */
export function leftSentence(left: number, zone: string): string {
  const queries = left >>> 20;
  const more = queries === LEFT_QUERIES_MAX ? ' or more' : '';
  return `Before that, ${queries}${more} queries with ${left & 0xf_ffff}${more} octets below ${zone} had left.`;
}

export function standingSentence(
  { trust, standing, zoneClients }: Charge,
  zones: Zones,
  zone: string,
): string {
  if (zones.service !== null)
    return `${zone} is known as: ${zones.service.service.why}; its budget is ${trust} times the ordinary one.`;
  if (zones.isShared) return `${zone} lies on a suffix that strangers share, so the strict profile holds.`;
  if (zones.isPopular) return `${zone} is a popular domain, asked here by about ${zoneClients} clients.`;
  return standing === 'stranger'
    ? `${zone} has no history here: about ${zoneClients} clients ask it.`
    : `${zone} is known here: about ${zoneClients} clients ask it.`;
}
