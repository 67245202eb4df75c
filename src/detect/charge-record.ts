/**
 * A charge as octets, for the ring between workers and the detector thread: 14 numbers and the zone's name.
 *
 *    0 nowMs f64 · 8 bits f32 · 12 payload f32 · 16 trust f32 · 20 shared f32 · 24 client, zone (4 × i32)
 *    40 octets u16 · 42 type u16 · 44 zone clients u16 · 46 standing · 47 form · 48 flags · 49 generated bits
 *    50 length of the zone's text · 51 text (Latin-1)
 */
import type { Charge, Form, Standing } from './contract.ts';

/** Most octets of one record; a zone's text that is longer is cut. */
export const CHARGE_RECORD_LENGTH = 308;
const ZONE_MAX = 254;

const STANDINGS: readonly Standing[] = ['stranger', 'established', 'popular', 'service', 'shared', 'suffix'];
const FORMS: readonly Form[] = ['plain', 'underscore', 'spf', 'probe'];

/** Writes the record and returns its length in octets. */
export function writeCharge(view: DataView, at: number, charge: Charge, zone: string): number {
  view.setFloat64(at, charge.nowMs);
  view.setFloat32(at + 8, charge.bits);
  view.setFloat32(at + 12, charge.payloadBits);
  view.setFloat32(at + 16, charge.trust);
  view.setFloat32(at + 20, charge.sharedBits);
  view.setInt32(at + 24, charge.clientA);
  view.setInt32(at + 28, charge.clientB);
  view.setInt32(at + 32, charge.zoneA);
  view.setInt32(at + 36, charge.zoneB);
  view.setUint16(at + 40, charge.octets);
  view.setUint16(at + 42, charge.type);
  view.setUint16(at + 44, charge.zoneClients);
  view.setUint8(at + 46, STANDINGS.indexOf(charge.standing));
  view.setUint8(at + 47, FORMS.indexOf(charge.form));
  view.setUint8(
    at + 48,
    (charge.denied ? 1 : 0) | (charge.isSharedForm ? 2 : 0) | (charge.isNewZone ? 4 : 0),
  );
  view.setUint8(at + 49, Math.min(255, Math.round(charge.generatedBits)));
  const length = Math.min(zone.length, ZONE_MAX);
  view.setUint8(at + 50, length);
  for (let i = 0; i < length; i++) view.setUint8(at + 51 + i, zone.charCodeAt(i));
  return 51 + length;
}

/** Reads a record that `writeCharge` wrote. */
export function readCharge(
  view: DataView,
  at: number,
): { readonly charge: Charge; readonly zone: string; readonly length: number } {
  const length = view.getUint8(at + 50);
  let zone = '';
  for (let i = 0; i < length; i++) zone += String.fromCharCode(view.getUint8(at + 51 + i));
  const flags = view.getUint8(at + 48);
  const charge: Charge = {
    denied: (flags & 1) !== 0,
    nowMs: view.getFloat64(at),
    bits: view.getFloat32(at + 8),
    payloadBits: view.getFloat32(at + 12),
    trust: view.getFloat32(at + 16),
    sharedBits: view.getFloat32(at + 20),
    clientA: view.getInt32(at + 24),
    clientB: view.getInt32(at + 28),
    zoneA: view.getInt32(at + 32),
    zoneB: view.getInt32(at + 36),
    octets: view.getUint16(at + 40),
    type: view.getUint16(at + 42),
    zoneClients: view.getUint16(at + 44),
    standing: STANDINGS[view.getUint8(at + 46)],
    form: FORMS[view.getUint8(at + 47)],
    isSharedForm: (flags & 2) !== 0,
    isNewZone: (flags & 4) !== 0,
    generatedBits: view.getUint8(at + 49),
    shape: 0,
  };
  return { charge, zone, length: 51 + length };
}
