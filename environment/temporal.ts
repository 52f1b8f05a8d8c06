import { Client, Connection, ServiceError } from '@temporalio/client';

import { CommandError, type Config, exitCodes, requireService, withFiles } from './config.ts';

const temporalConnectTimeout = '5s';

/** Temporal did not answer, as the person at the terminal is told. */
export function temporalAway(config: Config, cause: unknown): CommandError {
  return new CommandError(
    `Temporal at ${config.TEMPORAL_ADDRESS ?? ''} cannot be reached: is it running, and is TEMPORAL_ADDRESS right?`,
    exitCodes.serviceAway,
    { cause },
  );
}

/**
 * A client for commands. Temporal's own TLS and key variables are read by their own names.
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
 * Runs with a client of its own, closed afterwards.
 *
 * @throws CommandError as `connectTemporal`, and 69 when Temporal goes away meanwhile.
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

/** gRPC's code for what does not exist. */
const grpcNotFound = 5;
/** gRPC's code for what this key may not do. */
const grpcPermissionDenied = 7;

/** @throws CommandError 78 for a namespace that does not exist: every later call would fail with less to say. */
async function checkNamespace(connection: Connection, config: Config): Promise<void> {
  const namespace = config.TEMPORAL_NAMESPACE;
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== grpcNotFound) {
      // Whoever may not describe a namespace may still use it.
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
 * A client for a process that goes on while Temporal is away: it connects when first used, and again after an outage. Its
 * calls fail with ServiceError; give each a deadline. The SDK's own retries are off: they go on beyond a call's deadline, and
 * one that is still to come when the connection is closed throws where nobody can catch it.
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

/** TEMPORAL_API_KEY, TEMPORAL_TLS and the certificate variables, by Temporal's own names. */
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
