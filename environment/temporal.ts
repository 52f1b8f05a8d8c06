import { Client, Connection, ServiceError } from '@temporalio/client';

import { CommandError, type Config, exitCodes, requireService, withFiles } from './config.ts';

const temporalConnectTimeout = '5s';

/** The error for the person at the terminal when Temporal does not answer. */
export function temporalAway(config: Config, cause: unknown): CommandError {
  return new CommandError(
    `Temporal at ${config.TEMPORAL_ADDRESS ?? ''} cannot be reached: is it running, and is TEMPORAL_ADDRESS right?`,
    exitCodes.serviceAway,
    { cause },
  );
}

/**
 * A client for commands. It reads Temporal's own TLS and key variables by Temporal's names.
 *
 * @throws CommandError 69 when Temporal is away, 78 when it is not set or has no such namespace.
 */
export async function connectTemporal(config: Config): Promise<Client> {
  const address = requireService(config, 'TEMPORAL_ADDRESS');
  try {
    const connection = await Connection.connect({
      ...temporalSecurity(),
      address,
      connectTimeout: temporalConnectTimeout,
    });
    await checkNamespace(connection, config);
    return new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  } catch (cause) {
    throw cause instanceof CommandError ? cause : temporalAway(config, cause);
  }
}

/**
 * Calls the function with a new client and closes the client afterwards.
 *
 * @throws CommandError as `connectTemporal`, and 69 when Temporal goes away during the call.
 */
export async function withTemporal<Result>(
  config: Config,
  run: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = await connectTemporal(config);
  try {
    return await run(client);
  } catch (error) {
    throw error instanceof ServiceError ? temporalAway(config, error) : error;
  } finally {
    await client.connection.close();
  }
}

/** gRPC's code for "not found". */
const grpcNotFound = 5;
/** gRPC's code for "permission denied". */
const grpcPermissionDenied = 7;

/** @throws CommandError 78 for a namespace that does not exist: every later call would fail with a less helpful message. */
async function checkNamespace(connection: Connection, config: Config): Promise<void> {
  const namespace = config.TEMPORAL_NAMESPACE;
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== grpcNotFound) {
      // A client that may not describe a namespace may still use it.
      if ((cause as { code?: unknown }).code === grpcPermissionDenied) return;
      throw cause;
    }
    await connection.close();
    throw new CommandError(
      `Temporal at ${config.TEMPORAL_ADDRESS ?? ''} has no namespace "${namespace}": set TEMPORAL_NAMESPACE, or make it with \`temporal operator namespace create -n ${namespace}\``,
      exitCodes.configuration,
      { cause },
    );
  }
}

/**
 * A client for a process that keeps running while Temporal is away. It connects when first used, and again after an outage.
 * Its calls fail with ServiceError; give each a deadline. The SDK's own retries are off: they continue after a call's
 * deadline, and a retry that is pending when the connection closes throws where no code can catch it.
 *
 * @throws CommandError 78 when TEMPORAL_ADDRESS is not set.
 */
export function openTemporal(
  config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE' | 'dataDir'>,
): Client {
  const address = requireService(config, 'TEMPORAL_ADDRESS');
  const connection = Connection.lazy({ ...temporalSecurity(), address, interceptors: [] });
  return new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
}

/** TLS and key settings from TEMPORAL_API_KEY, TEMPORAL_TLS and the certificate variables. */
export function temporalSecurity(): { apiKey?: string; tls?: boolean | TemporalTls } {
  const env = withFiles(process.env);
  const apiKey = env['TEMPORAL_API_KEY'];
  const cert = env['TEMPORAL_TLS_CLIENT_CERT_DATA'];
  const key = env['TEMPORAL_TLS_CLIENT_KEY_DATA'];
  const ca = env['TEMPORAL_TLS_SERVER_CA_CERT_DATA'];
  const serverName = env['TEMPORAL_TLS_SERVER_NAME'];
  const tls: TemporalTls = {
    ...(serverName ? { serverNameOverride: serverName } : {}),
    ...(ca ? { serverRootCACertificate: Buffer.from(ca) } : {}),
    ...(cert && key ? { clientCertPair: { crt: Buffer.from(cert), key: Buffer.from(key) } } : {}),
  };
  const wanted = env['TEMPORAL_TLS'] === 'true' || Object.keys(tls).length > 0 || Boolean(apiKey);
  return {
    ...(apiKey ? { apiKey } : {}),
    ...(wanted ? { tls: Object.keys(tls).length > 0 ? tls : true } : {}),
  };
}

interface TemporalTls {
  serverNameOverride?: string;
  serverRootCACertificate?: Buffer;
  clientCertPair?: { crt: Buffer; key: Buffer };
}
