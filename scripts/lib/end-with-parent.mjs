// Loaded ahead of a program that must not outlive the process that started it, however that ends.
process.on('disconnect', () => process.exit());
process.channel?.unref();
