import { AdapterError } from './adapter-error.ts';

/** One HTTP request as the vendor would see it. */
export interface TransportRequest {
  method: 'GET' | 'POST';
  /** Absolute, with query. */
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string | null;
}

export interface TransportResponse {
  status: number;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: string;
}

/**
 * Carries one request to the vendor. Rejects with the signal's reason as soon as it aborts, and then neither requests nor
 * answers any more; rejects with `AdapterError` NETWORK_TIMEOUT where the network fails.
 */
export type Transport = (
  request: TransportRequest,
  options: { signal: AbortSignal },
) => Promise<TransportResponse>;

/** The most that one vendor request may take. */
export const requestTimeoutMs = 8_000;

/**
 * Sends one request with the time limit of a vendor request.
 *
 * @throws AdapterError NETWORK_TIMEOUT after `requestTimeoutMs`; the abort reason when the caller's signal aborts first.
 */
export async function send(
  transport: Transport,
  request: TransportRequest,
  signal: AbortSignal,
): Promise<TransportResponse> {
  signal.throwIfAborted();
  const limit = AbortSignal.timeout(requestTimeoutMs);
  try {
    return await transport(request, { signal: AbortSignal.any([signal, limit]) });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (limit.aborted) {
      throw new AdapterError(
        'NETWORK_TIMEOUT',
        'CLOUD',
        `the vendor did not answer within ${requestTimeoutMs / 1000} s`,
        { cause: error },
      );
    }
    throw error;
  }
}

/** Posts a JSON body with `send`. */
export function postJson(
  { transport, signal }: { transport: Transport; signal: AbortSignal },
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<TransportResponse> {
  const request: TransportRequest = {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  };
  return send(transport, request, signal);
}
