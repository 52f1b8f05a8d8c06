import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import type { Credentials } from '../../adapters/clouds/contract.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
} from '../../adapters/clouds/transport.ts';
import { jsonResponse, type VendorSide } from '../../adapters/clouds/recorded/vendor-side.ts';
import type { SimulatedVendor, Topic } from '../vendor.ts';

/** What a brand's cloud answers. */
export interface Wire {
  /** The session is gone, in the vendor's words; null where there are no sessions. */
  expired: TransportResponse | null;
  /** What is answered, by the end of the path. */
  calls: Readonly<Record<string, Call>>;
}

interface Call {
  /** The question in words of no brand; absent for what belongs to none (a list of devices). */
  topic?: Topic | ((vendor: SimulatedVendor) => Topic | null);
  /** The body of the answer. */
  answer(vendor: SimulatedVendor, asked: Asked): unknown;
}

export interface Asked {
  body: Readonly<Record<string, unknown>>;
  nowMs: number;
}

/**
 * The cloud of a brand for one call chain. The vendor's side checks login, token and signature; the simulated vendor knows
 * the plant and what goes wrong.
 */
export function simulatedTransport(
  vendor: SimulatedVendor,
  side: VendorSide,
  wire: Wire,
  chain: { knownCredentials: Credentials; now: Date },
): Transport {
  const nowMs = chain.now.getTime();
  // An expired session is renewed once within a chain, and the renewed one works.
  let isRenewed = false;
  return async (request, { signal }) => {
    signal.throwIfAborted();
    const login = side.login?.(request, chain) ?? null;
    if (login !== null) return login;
    const path = pathOf(request);
    if (!vendor.hasAccepted(path, request.headers, nowMs)) {
      const refusal = side.check(request, chain);
      if (refusal !== null) return refusal;
      vendor.accept(path, request.headers, nowMs);
    }
    const call = Object.entries(wire.calls).find(([end]) => path.endsWith(end))?.[1];
    if (call === undefined) throw new Error(`no ${vendor.brand} cloud is simulated for ${path}`);
    const topic = typeof call.topic === 'function' ? call.topic(vendor) : (call.topic ?? null);
    if (topic !== null) {
      const disturbance = vendor.disturbance(topic, nowMs);
      if (disturbance === 'TIME_OUT') {
        throw new AdapterError('NETWORK_TIMEOUT', 'CLOUD', 'the vendor did not answer within 8 s');
      }
      if (disturbance === 'EXPIRED') {
        if (wire.expired !== null && !isRenewed) {
          isRenewed = true;
          return wire.expired;
        }
      } else if (disturbance !== null) return disturbance;
    }
    const body = JSON.parse(request.body ?? '{}') as Record<string, unknown>;
    return jsonResponse(call.answer(vendor, { body, nowMs }));
  };
}

function pathOf({ url }: TransportRequest): string {
  const from = url.indexOf('/', 'https://'.length);
  const to = url.indexOf('?', from);
  return to < 0 ? url.slice(from) : url.slice(from, to);
}

/** More than any plant makes in a day, and more than any power. */
export const impossibleKwh = 987_654_321;
export const impossibleW = 9_876_543_210;
