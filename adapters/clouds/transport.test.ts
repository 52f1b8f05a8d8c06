import { describe, expect, test, vi } from 'vitest';
import { AdapterError } from './adapter-error.ts';
import { requestTimeoutMs, send, type Transport, type TransportRequest } from './transport.ts';

const request: TransportRequest = {
  method: 'POST',
  url: 'https://vendor.example/summary',
  headers: {},
  body: null,
};

const hanging: Transport = (_, { signal }) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
  });

const failing =
  (error: unknown): Transport =>
  () =>
    Promise.reject(error);

describe('send', () => {
  test('gives the answer as it comes', async () => {
    const answer = { status: 200, headers: {}, body: '{}' };
    const signal = new AbortController().signal;
    expect(await send(() => Promise.resolve(answer), request, signal)).toBe(answer);
  });

  test(`ends a request after ${requestTimeoutMs} ms as NETWORK_TIMEOUT`, async () => {
    const limit = new AbortController();
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(limit.signal);
    const outcome = send(hanging, request, new AbortController().signal);
    limit.abort(new DOMException('timed out', 'TimeoutError'));
    await expect(outcome).rejects.toMatchObject({
      type: 'NETWORK_TIMEOUT',
      message: 'the vendor did not answer within 8 s',
    });
    expect(timeout).toHaveBeenCalledWith(requestTimeoutMs);
    timeout.mockRestore();
  });

  test("rejects with the caller's own reason when the caller aborts", async () => {
    const controller = new AbortController();
    const reason = new Error('cut off');
    const outcome = send(hanging, request, controller.signal);
    controller.abort(reason);
    await expect(outcome).rejects.toBe(reason);
  });

  test("keeps to the caller's reason when the transport fails with an error of its own by it", async () => {
    const controller = new AbortController();
    const reason = new Error('cut off');
    const tearing: Transport = (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('socket closed')));
      });
    const outcome = send(tearing, request, controller.signal);
    controller.abort(reason);
    await expect(outcome).rejects.toBe(reason);
  });

  test('requests nothing when the caller has aborted already', async () => {
    const transport = vi.fn<Transport>();
    const reason = new Error('cut off');
    await expect(send(transport, request, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(transport).not.toHaveBeenCalled();
  });

  test('passes the failures of the transport on', async () => {
    const error = new AdapterError('NETWORK_TIMEOUT', 'CLOUD', 'no route to the vendor');
    const signal = new AbortController().signal;
    await expect(send(failing(error), request, signal)).rejects.toBe(error);
  });
});
