/** Opens every stream listener that the settings name. */
import type { Settings } from './config/index.ts';
import {
  type ConnectionLimits,
  type Listener,
  type MessageHandler,
  openTcpListener,
} from './listen/index.ts';
import type { Listening } from './thread-messages.ts';

export interface StreamListenerRequest {
  readonly settings: Settings;
  readonly reusePort: boolean;
  /** UDP listeners that are open: TCP takes the same ports, also where the kernel chose them. */
  readonly udpPorts: readonly Listening[];
  readonly limits: ConnectionLimits;
  readonly onMessage: MessageHandler;
  readonly onBatchEnd: () => void;
  readonly onError: (error: Error) => void;
}

export async function openStreamListeners(request: StreamListenerRequest): Promise<Listener[]> {
  const { reusePort, limits, onMessage, onBatchEnd, onError } = request;
  const listeners: Listener[] = [];
  for (const { address, port } of request.udpPorts) {
    listeners.push(
      await openTcpListener({ address, port, reusePort, limits, onMessage, onBatchEnd, onError }),
    );
  }
  return listeners;
}
