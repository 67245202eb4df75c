import { describe, expect, test } from 'vitest';
import {
  expandName,
  isAtOrBelow,
  MALFORMED,
  NameError,
  nameLength,
  nameOctets,
  nameText,
  readName,
  sameName,
  sameNameFolded,
  skipName,
} from '../../src/wire/index.ts';
import { hex } from './hex.ts';

const label = (length: number): string => `${length.toString(16).padStart(2, '0')}${'61'.repeat(length)}`;

// RFC 1035 section 3.1: "each label is represented as a one octet length field followed by that number of octets";
// section 4.1.4: a pointer is "an offset from the start of the message", to "a prior occurrence of the same name".
const NAMES = [
  { what: 'the root', octets: hex`00`, at: 0, end: 1, canonical: hex`00` },
  { what: 'one label', octets: hex`01 61 00`, at: 0, end: 3, canonical: hex`01 61 00` },
  { what: 'upper case', octets: hex`03 57 77 57 00 ; WwW`, at: 0, end: 5, canonical: hex`03 77 77 77 00` },
  {
    what: 'letters only are folded',
    octets: hex`04 40 5b 60 7b 00 ; @[backquote{`,
    at: 0,
    end: 6,
    canonical: hex`04 40 5b 60 7b 00`,
  },
  { what: 'any octet', octets: hex`04 00 2e ff 0a 00`, at: 0, end: 6, canonical: hex`04 00 2e ff 0a 00` },
  {
    what: 'a label of 63 octets',
    octets: hex`${label(63)} 00`,
    at: 0,
    end: 65,
    canonical: hex`${label(63)} 00`,
  },
  {
    what: 'a pointer back',
    octets: hex`03 63 6f 6d 00 ; com
                                        01 61 c0 00    ; a + pointer to 0`,
    at: 5,
    end: 9,
    canonical: hex`01 61 03 63 6f 6d 00`,
  },
  { what: 'a pointer only', octets: hex`01 61 00 c0 00`, at: 3, end: 5, canonical: hex`01 61 00` },
  {
    what: 'a pointer to a pointer',
    octets: hex`01 61 00 c0 00 c0 03`,
    at: 5,
    end: 7,
    canonical: hex`01 61 00`,
  },
  {
    what: '255 octets',
    octets: hex`${label(63)} ${label(63)} ${label(63)} ${label(61)} 00`,
    at: 0,
    end: 255,
    canonical: hex`${label(63)} ${label(63)} ${label(63)} ${label(61)} 00`,
  },
];

// RFC 9267 lists what implementations have got wrong: pointers forward, to themselves, past the end, in rings.
const BROKEN = [
  { what: 'nothing', octets: hex``, at: 0 },
  { what: 'no end', octets: hex`01 61`, at: 0 },
  { what: 'a label cut short', octets: hex`05 61 62`, at: 0 },
  { what: 'a label of type 01', octets: hex`41 61 00`, at: 0 },
  { what: 'a label of type 10', octets: hex`81 61 00`, at: 0 },
  { what: 'a pointer cut short', octets: hex`00 c0`, at: 1 },
  { what: 'a pointer to itself', octets: hex`c0 00`, at: 0 },
  { what: 'a pointer forward', octets: hex`c0 02 00`, at: 0 },
  { what: 'a pointer into its own name', octets: hex`01 61 c0 00`, at: 0 },
  { what: 'a pointer past the end', octets: hex`00 ff ff`, at: 1 },
  { what: '256 octets', octets: hex`${label(63)} ${label(63)} ${label(63)} ${label(62)} 00`, at: 0 },
];

const into = new Uint8Array(256);

describe('a name', () => {
  test.each(NAMES)('$what is read in canonical form', ({ octets, at, end, canonical }) => {
    expect(skipName(octets, at, octets.length)).toBe(end);
    const length = readName(octets, at, octets.length, into);
    expect(into.slice(0, length)).toEqual(canonical);
    expect(nameLength(canonical)).toBe(canonical.length);
  });

  test.each(BROKEN)('$what is malformed', ({ octets, at }) => {
    expect(readName(octets, at, octets.length, into)).toBe(MALFORMED);
    expect(expandName(octets, at, octets.length, into, 0)).toBe(MALFORMED);
    expect(skipName(octets, at, octets.length)).toBe(MALFORMED);
  });

  test('put together by pointers to more than 255 octets is malformed, though each part is not', () => {
    const octets = hex`${label(63)} ${label(63)} 00 ${label(63)} ${label(63)} c0 00`;
    expect(skipName(octets, 129, octets.length)).toBe(octets.length);
    expect(readName(octets, 129, octets.length, into)).toBe(MALFORMED);
    expect(expandName(octets, 129, octets.length, into, 0)).toBe(MALFORMED);
  });

  test('is expanded in its own case', () => {
    const octets = hex`03 43 6f 4d 00 01 41 c0 00`;
    const length = expandName(octets, 5, octets.length, into, 2);
    expect(into.slice(2, 2 + length)).toEqual(hex`01 41 03 43 6f 4d 00`);
  });

  test('of a chain of pointers as long as the message takes no more steps than there are octets', () => {
    const octets = new Uint8Array(0x3ffe);
    for (let at = 1; at + 1 < octets.length; at += 2) {
      const target = at === 1 ? 0 : at - 2;
      octets[at] = 0xc0 | (target >> 8);
      octets[at + 1] = target;
    }
    const started = performance.now();
    expect(readName(octets, octets.length - 3, octets.length, into)).toBe(1);
    expect(performance.now() - started).toBeLessThan(50);
  });
});

describe('comparing', () => {
  test.each([
    { left: 'a.example.com', right: 'a.example.com', same: true },
    { left: 'a.example.com', right: 'b.example.com', same: false },
    { left: 'a.example.com', right: 'example.com', same: false },
    { left: 'a\\.b.com', right: 'a.b.com', same: false },
    { left: '.', right: '.', same: true },
    { left: '.', right: 'com', same: false },
  ])('$left and $right: $same', ({ left, right, same }) => {
    expect(sameName(nameOctets(left), 0, nameOctets(right), 0)).toBe(same);
    expect(sameName(nameOctets(right), 0, nameOctets(left), 0)).toBe(same);
  });

  test('folded looks at letters only', () => {
    expect(sameNameFolded(hex`02 41 62 00`, 0, hex`02 61 42 00`, 0)).toBe(true);
    expect(sameNameFolded(hex`01 40 00`, 0, hex`01 60 00`, 0)).toBe(false);
    // A length octet of 65 to 90 is no letter; labels that long do not exist, but 0x01 and 0x21 must stay apart.
    expect(sameNameFolded(hex`01 61 00`, 0, hex`02 61 62 00`, 0)).toBe(false);
  });

  test.each([
    { name: 'a.example.com', ancestor: 'example.com', below: true },
    { name: 'example.com', ancestor: 'example.com', below: true },
    { name: 'badexample.com', ancestor: 'example.com', below: false },
    { name: 'a\\.example.com', ancestor: 'example.com', below: false },
    { name: 'com', ancestor: 'example.com', below: false },
    { name: 'anything.test', ancestor: '.', below: true },
    { name: 'example.com.test', ancestor: 'example.com', below: false },
  ])('$name at or below $ancestor: $below', ({ name, ancestor, below }) => {
    expect(isAtOrBelow(nameOctets(name), nameOctets(ancestor))).toBe(below);
  });
});

describe('text', () => {
  test.each([
    { text: 'www.example.com', octets: hex`03 77 77 77 07 65 78 61 6d 70 6c 65 03 63 6f 6d 00` },
    { text: '.', octets: hex`00` },
    { text: 'a\\.b', octets: hex`03 61 2e 62 00` },
    { text: 'a\\\\b', octets: hex`03 61 5c 62 00` },
    { text: '\\000\\032\\255', octets: hex`03 00 20 ff 00` },
    { text: '\\@\\;\\(\\$', octets: hex`04 40 3b 28 24 00` },
  ])('$text', ({ text, octets }) => {
    expect(nameText(octets)).toBe(text);
    expect(nameOctets(text)).toEqual(octets);
  });

  test.each([
    { text: '', says: 'a name is empty' },
    { text: 'a..b', says: 'empty label' },
    { text: '.a', says: 'empty label' },
    { text: '..', says: 'empty label' },
    { text: `${'a'.repeat(64)}.com`, says: '64 octets; at most 63' },
    { text: 'a\\', says: 'lone backslash' },
    { text: '\\256', says: 'outside Latin-1' },
    { text: 'exämple\u0100', says: 'A-label' },
    { text: Array.from({ length: 128 }, () => 'a').join('.'), says: 'at most 255' },
  ])('"$text" is turned down: $says', ({ text, says }) => {
    expect(() => nameOctets(text)).toThrow(NameError);
    expect(() => nameOctets(text)).toThrow(says);
  });

  test('with a final dot means the same', () => {
    expect(nameOctets('Example.COM.')).toEqual(nameOctets('example.com'));
  });
});
