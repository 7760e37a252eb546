//! The front's limits, each with its reason.

use std::time::Duration;

/// Connections at a time: scrapers and probes, not clients.
pub(crate) const CONNECTIONS_MAX: usize = 128;

/// A request's head; a page's query fits with room to spare.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How long a head may take to arrive, so that a slow sender holds no connection.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Logs on a page, at most: each costs a question to its shard.
pub(crate) const PAGE_LOGS_MAX: usize = 500;

/// Logs on a page that doesn't say how many.
pub(crate) const PAGE_LOGS_DEFAULT: usize = 100;

/// Queues in an answer of RabbitMQ's API that isn't a page: some megabytes.
pub(crate) const LIST_QUEUES_MAX: usize = 5_000;

/// How long a shard may take to answer a probe before it counts as stuck.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long requests in flight may take to finish once the process stops: longer than a probe.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
