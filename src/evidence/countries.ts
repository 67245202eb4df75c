/**
 * Where data may go without a transfer to a third country (GDPR chapter V): the 27 member states, Iceland, Liechtenstein
 * and Norway. Territories with a code of their own are not among them: they are marked, and a person looks.
 */
const EEA = new Set(
  'AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK'.split(' '),
);

/** `country`: ISO 3166-1, two capital letters. What is no member is outside, a code that nobody has included. */
export const isOutsideEea = (country: string): boolean => !EEA.has(country);
