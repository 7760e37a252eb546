//! The limits of this front, with reasons.

use std::time::Duration;

/// Maximum connections. The callers are scrapers and probes, not clients.
pub(crate) const CONNECTIONS_MAX: usize = 128;

/// Maximum size of a request head; any page's query fits.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Maximum size of a request body: a message to publish.
pub(crate) const BODY_BYTES_MAX: usize = 128 * 1024;

/// Timeout for a request head, and for its body, so that a slow sender can't hold a connection.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum logs per page: each needs a request to its shard.
pub(crate) const PAGE_LOGS_MAX: usize = 500;

/// Default number of logs per page.
pub(crate) const PAGE_LOGS_DEFAULT: usize = 100;

/// Default number of messages per page.
pub(crate) const PAGE_MESSAGES_DEFAULT: usize = 100;

/// Maximum queues in an unpaged response of RabbitMQ's API: some megabytes.
pub(crate) const LIST_QUEUES_MAX: usize = 5_000;

/// How long a shard may take to answer a probe before it is considered stuck.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long requests in flight may take on shutdown: longer than a probe.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);
