import { describe, expect, it } from '@jest/globals';
import { type AsRequest, decodeKdcAnswer, encodeAsRequest, KDC_ERROR } from './as-exchange.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Buffer.from(text, 'hex');

const request = (name: string, enctypes: readonly number[]): AsRequest => ({
  principal: { components: [name], realm: 'KERBRIDGE.TEST' },
  nonce: 12_345,
  enctypes,
});

/** Recorded with MIT krb5kdc 1.20.1: requests that it understood, and what it answered. */
const PREAUTHENTICATION =
  '7e81fa3081f7a003020105a10302011ea411180f32303236313132373130343930365aa5050203022ae9a603020119a7101b0e4b45524252494447452e54455354a8163014a003020101a10d300b1b096b6572627269646765a9101b0e4b45524252494447452e54455354aa233021a003020102a11a30181b066b72627467741b0e4b45524252494447452e54455354ab101b0e4e45454445445f50524541555448ac5904573055300aa10402020088a2020400302da103020113a226042430223020a003020112a1191b174b45524252494447452e544553546b65726272696467653009a103020102a2020400300da10402020085a20504034d4954';
const UNKNOWN_CLIENT =
  '7e81a43081a1a003020105a10302011ea411180f32303236313132373130343930365aa5050203022aeaa603020106a7101b0e4b45524252494447452e54455354a8193017a003020101a110300e1b0c6e6f626f64792d7468657265a9101b0e4b45524252494447452e54455354aa233021a003020102a11a30181b066b72627467741b0e4b45524252494447452e54455354ab121b10434c49454e545f4e4f545f464f554e44';

describe('encodeAsRequest', () => {
  it.each([
    [
      request('kerbridge', [18, 17]),
      '6a818c308189a103020105a20302010aa47d307ba00703050000000000a1163014a003020101a10d300b1b096b6572627269646765a2101b0e4b45524252494447452e54455354a3233021a003020102a11a30181b066b72627467741b0e4b45524252494447452e54455354a511180f32303337303931333032343830355aa70402023039a8083006020112020111',
    ],
    [
      request('nobody-there', [18]),
      '6a818c308189a103020105a20302010aa47d307ba00703050000000000a1193017a003020101a110300e1b0c6e6f626f64792d7468657265a2101b0e4b45524252494447452e54455354a3233021a003020102a11a30181b066b72627467741b0e4b45524252494447452e54455354a511180f32303337303931333032343830355aa70402023039a8053003020112',
    ],
  ])('writes what a real KDC understands', (given, wanted) => {
    expect(hex(encodeAsRequest(given))).toBe(wanted);
  });

  it.each([
    [0, 'a703020100'],
    [127, 'a70302017f'],
    [128, 'a70402020080'],
    [0x7f_ff_ff_ff, 'a70602047fffffff'],
    [0x80_00_00_00, 'a70702050080000000'],
  ])('writes the nonce %d as a DER integer', (nonce, wanted) => {
    expect(hex(encodeAsRequest({ ...request('a', [18]), nonce }))).toContain(wanted);
  });

  it('writes long names, and a length of two bytes', () => {
    const message = encodeAsRequest(request('x'.repeat(200), [18]));
    expect(hex(message.subarray(0, 4))).toBe(`6a82${(message.length - 4).toString(16).padStart(4, '0')}`);
  });
});

describe('decodeKdcAnswer', () => {
  it.each([
    [PREAUTHENTICATION, KDC_ERROR.preauthenticationRequired, 'NEEDED_PREAUTH'],
    [UNKNOWN_CLIENT, KDC_ERROR.clientUnknown, 'CLIENT_NOT_FOUND'],
  ])('reads an error and the time of the KDC', (answer, code, text) => {
    const serverTime = Date.parse('2026-11-27T10:49:06Z');
    expect(decodeKdcAnswer(bytes(answer))).toEqual({ type: 'error', code, serverTime, text });
  });

  it('knows a ticket by its tag, its version and its type', () => {
    expect(decodeKdcAnswer(bytes('6b0c300aa003020105a10302010b'))).toEqual({ type: 'ticket' });
  });

  it.each([
    ['nothing', ''],
    ['two bytes with the tag of a ticket', '6b00'],
    ['a ticket without members', '6b023000'],
    ['a ticket of version 4', '6b0c300aa003020104a10302010b'],
    ['a ticket of the type of another reply', '6b0c300aa003020105a10302010d'],
    ['a reply to another request', '6d0c300aa003020105a10302010d'],
    ['two tickets in one', '6b18300aa003020105a10302010b300aa003020105a10302010b'],
    ['an error of version 4', UNKNOWN_CLIENT.replace('a003020105', 'a003020104')],
    ['an error of another type', UNKNOWN_CLIENT.replace('a10302011e', 'a10302010b')],
    ['a request', '6a0c300aa003020105a10302010a'],
    ['an error without members', '7e023000'],
    ['an error without a sequence', '7e00'],
    ['something after it', `${UNKNOWN_CLIENT}00`],
    ['a length beyond the end', '7e7f3000'],
    ['an indefinite length', '7e800000'],
    ['a length of four bytes', '7e84000000023000'],
    ['a tag of many bytes', '7f8101003000'],
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request').toString('hex')],
    ['a time that is none', UNKNOWN_CLIENT.replace('32303236', '32303258')],
    [
      'a code of five bytes',
      '7e283026a003020105a10302011ea411180f32303236313132373130343930365aa60702050000000006',
    ],
  ])('takes %s for no answer', (_, text) => {
    expect(decodeKdcAnswer(bytes(text))).toBeUndefined();
  });

  it('takes no truncated answer, wherever it is cut', () => {
    const whole = bytes(PREAUTHENTICATION);
    for (let length = 0; length < whole.length; length += 1) {
      expect(decodeKdcAnswer(whole.subarray(0, length))).toBeUndefined();
    }
  });
});
