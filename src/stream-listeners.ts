/** Opens every stream listener that the settings name: TCP beside each UDP socket, DoT, DoH. */
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
  readonly onMessage: MessageHandler;
  readonly onBatchEnd: () => void;
  readonly onError: (error: Error) => void;
}

export async function openStreamListeners(request: StreamListenerRequest): Promise<Listener[]> {
  const { settings, udpPorts, certificates } = request;
  const listeners: Listener[] = [];
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
  if (certificates.https !== null) {
    const { path } = settings.listen.https;
    for (const { host, port } of settings.listen.https.addresses) {
      listeners.push(
        await openHttpsListener({
          ...common(request, host, port),
          ...secure(certificates.https, request),
          path,
        }),
      );
    }
  }
  return listeners;
}

function common(request: StreamListenerRequest, address: string, port: number): StreamListenerOptions {
  const { reusePort, limits, onMessage, onBatchEnd, onError } = request;
  return { address, port, reusePort, limits, onMessage, onBatchEnd, onError };
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
