/** What was given cannot be used: exit 2, so that a script can tell it from a log that is not whole (1). */
export class Unusable extends Error {}

/** Throws Unusable, in the words of what `make` throws. */
export function usable<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new Unusable(error instanceof Error ? error.message : String(error));
  }
}
