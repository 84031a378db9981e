import { AgentDirectory } from '../../../lib/agents/directory';
import { watchListedKey } from '../../../lib/agents/listed-key';
import { KeyRing } from '../../../lib/crypto/key-ring';
import { makeIdentity, toAgentRecord } from '../../helpers/keys';
import { countingMetrics } from '../fakes';

const [now, before, other] = [makeIdentity('Now'), makeIdentity('Before'), makeIdentity('Other')];

describe('the key that CentOps lists for this agent', () => {
  const directory = new AgentDirectory();
  const { metrics, counted } = countingMetrics();
  const keys = new KeyRing(now.privateKeyPem, before.privateKeyPem);
  const end = watchListedKey(keys, directory, now.id, metrics);

  const shown = () => {
    metrics.read();
    return ['current', 'previous', 'none'].map((key) => counted[`dmr_agent_key_listed{key="${key}"}`]);
  };
  const list = (...identities: (typeof now)[]) =>
    directory.replace(identities.map((identity) => ({ ...toAgentRecord(identity), id: now.id })));

  it('is not known while there is no list', () => {
    expect(shown()).toEqual([0, 0, 0]);
  });

  it('is looked up each time the metrics are read', () => {
    list(now);
    expect(shown()).toEqual([1, 0, 0]);
    list(before);
    expect(shown()).toEqual([0, 1, 0]);
    list(other);
    expect(shown()).toEqual([0, 0, 1]);
  });

  it('is none when this agent is not in the list', () => {
    list();
    expect(shown()).toEqual([0, 0, 1]);
  });

  it('is not looked up any more in the end', () => {
    end();
    list(now);
    expect(shown()).toEqual([0, 0, 1]);
  });
});
