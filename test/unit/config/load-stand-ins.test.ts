import { loadCentOpsStandInConfig, loadChatbotStandInConfig } from '../../../lib/config';
import { AGENT_A, AGENT_B, centOpsEnv, chatbotEnv, rsaPair } from './environments';

const { publicKey, privateKey } = rsaPair();
const NODE = { environment: 'development', logger: { colors: true, level: 'info', format: 'auto' } };

describe('the configuration of the stand-in of CentOps', () => {
  it('applies every default and keeps the order of the agents', () => {
    expect(loadCentOpsStandInConfig(centOpsEnv(publicKey))).toStrictEqual({
      ...NODE,
      port: 8076,
      agents: [
        { id: AGENT_A, name: 'Police', publicKeyPem: publicKey },
        { id: AGENT_B, name: 'Tax office', publicKeyPem: publicKey },
      ],
    });
  });

  it('puts every variable into its field', () => {
    const other = rsaPair().publicKey;
    const env = centOpsEnv(publicKey.replaceAll('\n', '\\n'), {
      PORT: '0',
      MSW_ENABLED: 'true',
      MOCK_DMR_AGENT_A_NAME: 'Alpha',
      MOCK_DMR_AGENT_B_NAME: 'Beta',
      MOCK_DMR_AGENT_B_PUBLIC_KEY: other,
    });
    expect(loadCentOpsStandInConfig(env)).toStrictEqual({
      ...NODE,
      port: 0,
      agents: [
        { id: AGENT_A, name: 'Alpha', publicKeyPem: publicKey },
        { id: AGENT_B, name: 'Beta', publicKeyPem: other },
      ],
    });
  });

  it.each(Object.keys(centOpsEnv('')))('wants %s', (name) => {
    expect(() => loadCentOpsStandInConfig(centOpsEnv(publicKey, { [name]: '' }))).toThrow(
      new RegExp(`^${name}: wants .+, got nothing$`),
    );
  });

  it('never publishes a private key', () => {
    expect(() => loadCentOpsStandInConfig(centOpsEnv(privateKey))).toThrow('MOCK_DMR_AGENT_A_PUBLIC_KEY: wants');
  });
});

describe('the configuration of the stand-in of a chatbot', () => {
  it('applies every default', () => {
    const agentUrl = 'http://agent.test:8077';
    expect(loadChatbotStandInConfig(chatbotEnv())).toStrictEqual({ ...NODE, port: 8090, name: 'Alpha', agentUrl });
  });

  it('cuts the slash off the URL of the agent', () => {
    const env = chatbotEnv({ PORT: '0', CHATBOT_AGENT_URL: 'http://agent.test/base/' });
    expect(loadChatbotStandInConfig(env)).toMatchObject({ port: 0, agentUrl: 'http://agent.test/base' });
  });

  it.each(Object.keys(chatbotEnv()))('wants %s', (name) => {
    expect(() => loadChatbotStandInConfig(chatbotEnv({ [name]: '' }))).toThrow(`${name}: wants`);
  });
});
