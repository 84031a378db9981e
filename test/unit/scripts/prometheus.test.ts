import { findPrometheus } from '../../../scripts/lib/prometheus';

const having =
  (...files: string[]) =>
  (file: string) =>
    files.includes(file);

describe('findPrometheus', () => {
  it('finds both programs on PATH, each where it is', () => {
    const machine = having('/opt/prom/prometheus', '/usr/bin/promtool');
    expect(findPrometheus('/opt/prom:/bin', machine)).toEqual({
      prometheus: '/opt/prom/prometheus',
      promtool: '/usr/bin/promtool',
    });
  });

  it('wants both programs', () => {
    expect(findPrometheus('/usr/bin', having('/usr/bin/promtool'))).toBeUndefined();
    expect(findPrometheus('/usr/bin', having('/usr/bin/prometheus'))).toBeUndefined();
  });
});
