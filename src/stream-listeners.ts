/** Opens every stream listener that the settings name: TCP beside each UDP socket, DoT, DoH. */
import { BlockList, isIP } from 'node:net';
import type { Certificates, ListenerCertificate } from './certificates.ts';
import type { Settings } from './config/index.ts';
import {
  type ConnectionLimits,
  type Listener,
  type MessageHandler,
  openHttpsListener,
  openTcpListener,
  openTlsListener,
  type StreamListenerOptions,
} from './listen/index.ts';
import type { Listening } from './thread-messages.ts';

export interface StreamListenerRequest {
  readonly settings: Settings;
  readonly reusePort: boolean;
  /** UDP listeners that are open: TCP takes the same ports, also where the kernel chose them. */
  readonly udpPorts: readonly Listening[];
  readonly certificates: Certificates;
  /** 48 octets, the same in all threads: a session begun with one resumes with another. */
  readonly ticketKeys: Uint8Array;
  readonly limits: ConnectionLimits;
  /** Load balancers whose TCP and DoT connections begin with a PROXY header. */
  readonly isProxy: (address: string) => boolean;
  readonly onMessage: MessageHandler;
  readonly onBatchEnd: () => void;
  readonly onError: (error: Error) => void;
}

/** Opens all of them, or none: what is open already is closed again when one cannot be opened. */
export async function openStreamListeners(request: StreamListenerRequest): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    await openAll(request, listeners);
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close(0)));
    throw error;
  }
  return listeners;
}

async function openAll(request: StreamListenerRequest, listeners: Listener[]): Promise<void> {
  const { settings, udpPorts, certificates } = request;
  for (const { address, port } of udpPorts) {
    listeners.push(await openTcpListener(common(request, address, port)));
  }
  if (certificates.tls !== null) {
    for (const { host, port } of settings.listen.tls.addresses) {
      listeners.push(
        await openTlsListener({ ...common(request, host, port), ...secure(certificates.tls, request) }),
      );
    }
  }
  const { path, trustedProxies, addresses } = settings.listen.https;
  const doh = { path, isTrustedProxy: memberOf(trustedProxies) };
  for (const { host, port } of addresses) {
    const options = { ...common(request, host, port), ...doh };
    listeners.push(
      await openHttpsListener(
        certificates.https === null
          ? { ...options, plain: true }
          : { ...options, ...secure(certificates.https, request) },
      ),
    );
  }
}

/** Whether an address, as Node writes it, is in one of the prefixes. An IPv4-mapped one counts as IPv4. */
function memberOf(prefixes: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const text of prefixes) {
    const [host, length] = text.split('/');
    const family = isIP(host) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(host, length === undefined ? (family === 'ipv6' ? 128 : 32) : Number(length), family);
  }
  return (address) => {
    const text = address.split('%')[0];
    const family = isIP(text);
    return family !== 0 && list.check(text, family === 6 ? 'ipv6' : 'ipv4');
  };
}

function common(request: StreamListenerRequest, address: string, port: number): StreamListenerOptions {
  const { reusePort, limits, isProxy, onMessage, onBatchEnd, onError } = request;
  return { address, port, reusePort, limits, isProxy, onMessage, onBatchEnd, onError };
}

function secure(
  { certificate, clientAuthorities }: ListenerCertificate,
  { ticketKeys }: StreamListenerRequest,
) {
  return {
    certificate,
    ticketKeys: Buffer.from(ticketKeys),
    ...(clientAuthorities === null ? {} : { clientAuthorities, clientCertificateRequired: true }),
  };
}
