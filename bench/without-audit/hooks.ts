/** Puts `null-log.js` in the place of Sallyport's own log when modules are loaded. */
interface Resolved {
  readonly url: string;
}
type Next = (specifier: string, context: unknown) => Promise<Resolved>;

export async function resolve(specifier: string, context: unknown, next: Next): Promise<Resolved> {
  const found = await next(specifier, context);
  if (!found.url.endsWith('/dist/audit/log.js')) return found;
  return { ...found, url: new URL('./null-log.js', import.meta.url).href };
}
