// Loaded ahead of a node whose memory is measured: what is garbage must not count.
process.on('message', (message) => message === 'gc' && globalThis.gc?.());
process.channel?.unref();
