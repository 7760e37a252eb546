//! The front's limits, each with its reason.

use std::time::Duration;

/// Octets of a frame before the connection is tuned: enough for a `start-ok` with a long token,
/// small enough that a peer who hasn't authenticated costs next to nothing.
pub(crate) const FRAME_UNAUTHENTICATED_BYTES: u32 = 8192;

/// How long a client may take from connecting to `connection.open` where the settings
/// don't say (as RabbitMQ's `handshake_timeout`).
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a refused login is left waiting, so that passwords can't be tried at line speed.
pub(crate) const REFUSAL_DELAY: Duration = Duration::from_secs(1);

/// How long a connection that is closing waits for its `close-ok`, and one that the client has
/// closed for the end of its socket.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The same while the process stops, of a client that nothing is on its way to. Some libraries look
/// at their sockets only when their application does something: all others answer at once.
pub(crate) const CLOSE_TIMEOUT_STOPPING: Duration = Duration::from_secs(1);

/// What is read from a socket at once.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// The room for reading below which another buffer is taken.
pub(crate) const READ_BYTES_MIN: usize = 4 * 1024;

/// Octets waiting to be written, past which a connection neither reads more from its client nor
/// takes more deliveries: a client that doesn't read costs itself.
pub(crate) const OUTBOX_HIGH_BYTES: u64 = 4 * 1024 * 1024;

/// Bodies up to this size are copied into the output beside their frames; larger ones are written
/// from where they are. Below it a copy is cheaper than another entry for the kernel to gather.
pub(crate) const BODY_COPY_BYTES: usize = 4096;

/// Pieces that are written with one system call.
pub(crate) const WRITE_SLICES: usize = 64;

/// Octets of deliveries that a consumer may have on their way to the socket.
pub(crate) const CONSUMER_CREDIT_BYTES: u64 = 512 * 1024;

/// Octets of bodies that are being received on all channels of a connection together: without it,
/// 2,047 channels could each hold an unfinished body of the largest size.
pub(crate) const ASSEMBLY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The longest time to live, of a queue's messages or of one: ten years, as in RabbitMQ.
pub(crate) const PERIOD_MS_MAX: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// Body frames below this size are gathered into one buffer where the body isn't whole yet: what is
/// kept of a read buffer is a good part of it, and not an octet of each.
pub(crate) const BODY_FRAME_GATHER_BYTES: usize = READ_BYTES / 4;

/// Octets of consecutive publishes to the same queues that are appended as one batch.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;

/// Messages of such a batch: a reader of one record has to walk those before it.
pub(crate) const BATCH_RECORDS: usize = 64;
