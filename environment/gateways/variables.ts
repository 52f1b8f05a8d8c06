import { z } from 'zod';

import type { DisableLimits } from '../../domain/gateways/disable.ts';
import { type Cidr, parseNetworks } from '../../domain/gateways/network.ts';

/** How gateways are polled, as the environment configures it. */

const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .refine(
      (text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max,
      `must be a whole number from ${min} to ${max}`,
    )
    .transform(Number);

/** The variables of gateways, as part of the environment's schema. */
export const gatewayVariables = {
  GATEWAY_NETWORKS: z
    .string()
    .default('')
    .superRefine((text, context) => {
      try {
        parseNetworks(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as RangeError).message });
      }
    })
    .describe(
      'networks, comma-separated (`10.1.0.0/16,192.168.7.0/24`), whose private or loopback addresses gateways may have; if empty, none of them may be dialled',
    ),
  GATEWAY_SHARDS: wholeNumber(1, 64)
    .default(4)
    .describe(
      'number of parts into which gateways are divided among the workers of `worker:gateways`; the same for all processes',
    ),
  GATEWAY_REQUEST_TIMEOUT_MS: wholeNumber(50, 10_000)
    .default(1_000)
    .describe('time that a gateway has to answer one request, ms'),
  GATEWAY_DISABLE_AFTER_FAILURES: wholeNumber(1, 1_000)
    .default(10)
    .describe('a gateway is switched off after this number of failed polls in a row …'),
  GATEWAY_DISABLE_AFTER_MINUTES: wholeNumber(0, 10_000)
    .default(10)
    .describe('… if they took at least this number of minutes'),
};

const variablesSchema = z.object(gatewayVariables);

export interface GatewaySettings {
  networks: Cidr[];
  shards: number;
  requestTimeoutMs: number;
  limits: DisableLimits;
}

export function gatewaySettings(variables: z.output<typeof variablesSchema>): GatewaySettings {
  return {
    networks: parseNetworks(variables.GATEWAY_NETWORKS),
    shards: variables.GATEWAY_SHARDS,
    requestTimeoutMs: variables.GATEWAY_REQUEST_TIMEOUT_MS,
    limits: {
      failures: variables.GATEWAY_DISABLE_AFTER_FAILURES,
      overMs: variables.GATEWAY_DISABLE_AFTER_MINUTES * 60_000,
    },
  };
}
