// Loaded ahead of a program of the drill: it must not outlive the drill, however that ends.
process.on('disconnect', () => process.exit());
process.channel?.unref();
