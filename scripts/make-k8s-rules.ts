import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(__dirname, '..');

/** Which part of Kubernetes' manifests has which alerts: an organisation watches its agent, the centre the rest. */
const PLACES = {
  agent: 'k8s/agent/rules-agent.yaml',
  messages: 'k8s/base/monitoring/rules-messages.yaml',
  rabbitmq: 'k8s/base/monitoring/rules-rabbitmq.yaml',
  server: 'k8s/base/monitoring/rules-server.yaml',
};

/** Every PrometheusRule, by its path from the root of the project: the rules of `monitoring/alerts`, word for word. */
export function ruleFiles(): Record<string, string> {
  const files = Object.entries(PLACES).map(([name, place]) => [place, prometheusRule(name)]);
  return Object.fromEntries(files) as Record<string, string>;
}

function prometheusRule(name: string): string {
  const alerts = readFileSync(resolve(ROOT, `monitoring/alerts/${name}.yml`), 'utf8');
  const inSpec = alerts.replace(/^(?=.)/gm, '  ');
  return `# Made from monitoring/alerts/${name}.yml by scripts/make-k8s-rules.ts.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: dmr-${name}
  labels:
    app.kubernetes.io/part-of: dmr
spec:
${inSpec}`;
}

if (require.main === module) {
  for (const [path, text] of Object.entries(ruleFiles())) writeFileSync(resolve(ROOT, path), text);
}
