import { hostList } from '../../../lib/config/host-list';

const parse = (text: string) => hostList().parse(text);

describe('RABBITMQ_DEFAULT_HOST', () => {
  it.each([
    ['rabbit', [{ host: 'rabbit' }]],
    ['a.b-c.test', [{ host: 'a.b-c.test' }]],
    ['10.0.0.1', [{ host: '10.0.0.1' }]],
    ['::1', [{ host: '::1' }]],
    ['[::1]', [{ host: '::1' }]],
    ['rabbit:5673', [{ host: 'rabbit', port: 5673 }]],
    [
      ' one, two:5673 ,[fd00::2]:65535',
      [{ host: 'one' }, { host: 'two', port: 5673 }, { host: 'fd00::2', port: 65535 }],
    ],
  ])('takes %j', (text, hosts) => expect(parse(text)).toStrictEqual(hosts));

  it.each([
    'amqp://rabbit',
    'dmr@rabbit',
    'rabbit/rooms',
    'a b',
    'rabbit:',
    'rabbit:0',
    'rabbit:65536',
    'rabbit:amqp',
    '[rabbit]:5672',
    '[::1',
    '::1::2',
    'one,',
    ',',
    'one,,two',
  ])('refuses %j', (text) => expect(parse(text)).toBeUndefined());
});
