import { EVENTS } from '../../helpers/deployed-agent';
import { ERROR_TYPES, FULL_LIST, MESSAGE_DOWN, MESSAGE_UP, PARTIAL_LIST } from '../../../lib/protocol/events';

describe('the words of the wire', () => {
  it('are the event names of the deployed system', () => {
    expect({ fullList: FULL_LIST, partialList: PARTIAL_LIST, toServer: MESSAGE_UP, fromServer: MESSAGE_DOWN }).toEqual(
      EVENTS,
    );
  });

  it('are the nine error types and no others', () => {
    expect([...ERROR_TYPES].sort()).toEqual([
      'DECRYPTION_FAILED',
      'DELIVERY_FAILED',
      'INVALID_FORMAT',
      'INVALID_MESSAGE_TYPE',
      'INVALID_RECIPIENT_ID',
      'INVALID_SENDER_ID',
      'INVALID_TIMESTAMP',
      'SIGNATURE_VALIDATION_FAILED',
      'UNKNOWN',
    ]);
  });
});
