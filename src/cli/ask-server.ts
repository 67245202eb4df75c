/** Asking a running Sallyport over its HTTP server, whose address and token stand in the settings. */
import { readFileSync } from 'node:fs';
import type { Settings } from '../config/index.ts';
import { readSettings, type SettingsFlags } from './settings-flags.ts';

interface AskFlags extends SettingsFlags {
  readonly json?: boolean;
}

/** Nothing was held, as opposed to a mistake in the arguments (2) or a server that cannot be asked (1). */
export const EXIT_NOTHING_HELD = 3;
const TIMEOUT_MS = 5000;

/** The answer as JSON; null after what went wrong was printed and the exit code set. */
export async function askServer(
  flags: AskFlags,
  path: string,
  body: object | null,
): Promise<{ body: unknown } | null> {
  const settings = readSettings(flags, flags.json);
  if (settings === null) return null;
  const server = serverOf(settings);
  const fail = (why: string, exitCode = 1): null => {
    console.error(why);
    process.exitCode = exitCode;
    return null;
  };
  if (!settings.http.enabled)
    return fail('HTTP is switched off in the settings (http.enabled), so nobody can be asked; switch it on');
  let token: string | null;
  try {
    token = readToken(settings);
  } catch (error) {
    return fail(`the token cannot be read (http.tokenFile): ${(error as Error).message}`);
  }
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(`${server}${path}`, {
      method: body === null ? 'GET' : 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    });
    answer = await response.json();
  } catch (error) {
    const { cause, message } = error as Error;
    const why = cause instanceof Error ? cause.message : message;
    return fail(`no Sallyport answers at ${server} (${why}); is it running? Name its address with --http`);
  }
  if (response.ok) return { body: answer };
  const { error = 'no reason given' } = (answer ?? {}) as { error?: string };
  if (response.status === 401)
    return fail(
      `${server} asks for another token: set http.token or http.tokenFile as in the server's settings`,
    );
  if (response.status === 404) return fail(error, EXIT_NOTHING_HELD);
  return fail(
    response.status === 400 ? error : `${server}: ${response.status}, ${error}`,
    response.status === 400 ? 2 : 1,
  );
}

/** Whoever listens everywhere is asked on loopback. */
function serverOf({ http }: Settings): string {
  const { host, port } = http.listen;
  const asked = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${asked.includes(':') ? `[${asked}]` : asked}:${port}`;
}

function readToken({ http }: Settings): string | null {
  if (http.tokenFile !== undefined) return readFileSync(http.tokenFile, 'utf8').trim();
  return http.token ?? null;
}
