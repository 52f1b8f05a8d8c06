import { connect } from 'node:http2';

const answerLimitMs = 1_000;
/** https://github.com/grpc/grpc/blob/master/doc/health-checking.md: `HealthCheckResponse.status`, field 1, 1 = SERVING. */
const servingAnswer = Buffer.from([0x08, 0x01]);
/** The prefix of a gRPC message: a flag (compressed or not) and the length in 32 bits. */
const frameHeaderBytes = 5;

/** Asks a gRPC server on `host:port`, without TLS, whether `service` is SERVING. False also without an answer. */
export function isServing(address: string, service: string): Promise<boolean> {
  const name = Buffer.from(service);
  // Field 1, length-delimited; names are shorter than 128 bytes.
  const message = Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const frame = Buffer.alloc(frameHeaderBytes);
  frame.writeUInt32BE(message.length, 1);
  return new Promise((resolve) => {
    const session = connect(`http://${address}`);
    const end = (serving: boolean): void => {
      session.destroy();
      resolve(serving);
    };
    session.setTimeout(answerLimitMs, () => end(false));
    session.on('error', () => end(false));
    const request = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => end(false));
    request.on('end', () =>
      end(Buffer.concat(chunks).subarray(frameHeaderBytes).equals(servingAnswer)),
    );
    request.end(Buffer.concat([frame, message]));
  });
}
