//! The composition root of the dashboard: one `select!` over keys, events and ticks. Performs effects; nothing else.
