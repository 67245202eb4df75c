/** `sallyport query`: a small client over UDP or TCP, to see what a resolver answers. */
import { Command } from 'commander';
import { NameError, nameOctets, typeOf } from '../wire/index.ts';
import { askTcp, askUdp, compose } from './ask.ts';
import { describeMessage, type ReadMessage, readMessage } from './read-message.ts';

interface Flags {
  readonly server: string;
  readonly port: string;
  readonly tcp?: boolean;
  readonly type?: string;
  readonly timeout: string;
  readonly edns: boolean;
  readonly json?: boolean;
  readonly short?: boolean;
}

export function queryCommand(): Command {
  return new Command('query')
    .description('ask a resolver and print what it answers; exit 3 for an error rcode, 9 for no reply')
    .argument('<name>', 'the name to ask')
    .argument('[type]', 'query type', 'A')
    .option('-s, --server <address>', 'resolver to ask', '127.0.0.1')
    .option('-p, --port <port>', 'its port', '1053')
    .option('--tcp', 'over TCP; UDP is tried again over TCP when truncated')
    .option('--no-edns', 'without EDNS, and so without extended errors')
    .option('--timeout <seconds>', 'how long to wait', '5')
    .option('--short', 'rdata only')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  sallyport query www.sallyport.test
  sallyport query example.com TXT -s 192.0.2.53 -p 53 --json`,
    )
    .action(query);
}

const EXIT_NO_REPLY = 9;
const EXIT_RCODE = 3;

async function query(name: string, typeText: string, flags: Flags): Promise<void> {
  const type = typeOf(typeText);
  const port = Number(flags.port);
  const timeoutMs = Number(flags.timeout) * 1000;
  if (type === undefined) return refuse(`"${typeText}" is not a type; write for example A, TXT or TYPE65`);
  if (!(port > 0 && port < 65_536))
    return refuse(`"${flags.port}" is not a port; write a number from 1 to 65535`);
  if (!(timeoutMs > 0)) return refuse(`"${flags.timeout}" is not a time in seconds; write for example 5`);
  const wrong = nameFault(name);
  if (wrong !== null) return refuse(`${wrong}; write for example www.example.com`);
  const message = compose(name, type, flags.edns);
  const started = performance.now();
  let reply: Buffer;
  let transport = flags.tcp ? 'tcp' : 'udp';
  try {
    reply = flags.tcp
      ? await askTcp(message, flags.server, port, timeoutMs)
      : await askUdp(message, flags.server, port, timeoutMs);
    if (!flags.tcp && (reply[2] & 0x02) !== 0) {
      transport = 'tcp';
      reply = await askTcp(message, flags.server, port, timeoutMs);
    }
  } catch (error) {
    console.error(`no reply from ${flags.server} port ${port} (${transport}): ${(error as Error).message}`);
    process.exitCode = EXIT_NO_REPLY;
    return;
  }
  const read = readMessage(reply);
  if (typeof read === 'string') {
    console.error(`the reply of ${reply.length} octets cannot be read: ${read}`);
    process.exitCode = EXIT_NO_REPLY;
    return;
  }
  print(
    read,
    { server: flags.server, port, transport, ms: performance.now() - started, octets: reply.length },
    flags,
  );
  if (read.rcode !== 'NOERROR') process.exitCode = EXIT_RCODE;
}

/** What is wrong with a name that would be asked, or null. */
function nameFault(name: string): string | null {
  try {
    nameOctets(name);
    return null;
  } catch (error) {
    if (error instanceof NameError) return error.message;
    throw error;
  }
}

function refuse(why: string): void {
  console.error(why);
  process.exitCode = 2;
}

interface Circumstances {
  readonly server: string;
  readonly port: number;
  readonly transport: string;
  readonly ms: number;
  readonly octets: number;
}

function print(read: ReadMessage, circumstances: Circumstances, flags: Flags): void {
  const ms = Math.round(circumstances.ms * 10) / 10;
  if (flags.json) console.log(JSON.stringify({ ...read, ...circumstances, ms }, null, 2));
  else if (flags.short) for (const { rdata } of read.answer) console.log(rdata);
  else {
    console.log(describeMessage(read));
    const { server, port, transport, octets } = circumstances;
    console.log(`;; ${server} port ${port} over ${transport}, ${ms} ms, ${octets} octets`);
  }
}
