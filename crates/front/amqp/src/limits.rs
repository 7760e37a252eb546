//! The limits of this front, with reasons.

use std::time::Duration;

/// Maximum frame size before the connection is tuned, as RabbitMQ's default for it
/// (`initial_frame_max`): enough for a `start-ok` with a long token, small enough that an
/// unauthenticated peer costs next to nothing.
pub(crate) const FRAME_UNAUTHENTICATED_BYTES: u32 = 8192;

/// Default time from connecting to `connection.open` (RabbitMQ's `handshake_timeout`).
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Default time in which a delivery must be acknowledged (RabbitMQ's `consumer_timeout`).
pub(crate) const CONSUMER_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// Delay after a refused login, which slows down password guessing.
pub(crate) const REFUSAL_DELAY: Duration = Duration::from_secs(1);

/// How long a closing connection waits for `close-ok`, or, if the client has closed it, for the end
/// of the socket.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The same during shutdown, for a client without pending output. Some libraries read their sockets
/// only when their application calls them; all others answer immediately.
pub(crate) const CLOSE_TIMEOUT_STOPPING: Duration = Duration::from_secs(1);

/// How long a publisher waits for memory before it is told by `connection.blocked`: shorter waits
/// are the usual back-pressure.
pub(crate) const BLOCKED_AFTER: Duration = Duration::from_secs(1);

/// How long a client with an open transaction waits for memory before its connection is closed.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Size of a read from a socket.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// A new read buffer is allocated when less than this is free.
pub(crate) const READ_BYTES_MIN: usize = 4 * 1024;

/// When more output than this is pending, a connection neither reads from its client nor accepts
/// deliveries: a client that doesn't read harms only itself.
pub(crate) const OUTBOX_HIGH_BYTES: u64 = 4 * 1024 * 1024;

/// Bodies up to this size are copied into the output next to their frames; larger ones are written
/// from where they are. For small bodies a copy is cheaper than another entry of a vectored write.
pub(crate) const BODY_COPY_BYTES: usize = 4096;

/// Slices written with one system call.
pub(crate) const WRITE_SLICES: usize = 64;

/// Maximum bytes of deliveries of a consumer on their way to the socket.
pub(crate) const CONSUMER_CREDIT_BYTES: u64 = 512 * 1024;

/// What a consumer that reads a stream gets at once, before others have their turn.
pub(crate) const READ_PIECE_BYTES: usize = 256 * 1024;

/// How much is read for each message that such a consumer may still be sent: with a small prefetch
/// count there is no point in reading a whole piece. A larger message is read all the same.
pub(crate) const READ_RECORD_BYTES: usize = 4096;

/// Maximum bytes of unfinished bodies over all channels of a connection, or one body of the maximum
/// size if that is larger: otherwise, 2,047 channels could each hold an unfinished one.
pub(crate) const ASSEMBLY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Maximum time to live of queues and messages: ten years, as in RabbitMQ.
pub(crate) const PERIOD_MS_MAX: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// Body frames smaller than this are copied into one buffer while the body is unfinished, so that a
/// few bytes of each don't keep many read buffers in memory.
pub(crate) const BODY_FRAME_GATHER_BYTES: usize = READ_BYTES / 4;

/// Maximum bytes of consecutive publishes to the same queues that form one batch.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;

/// Maximum messages of such a batch: a reader of one record has to skip those before it.
pub(crate) const BATCH_RECORDS: usize = 64;
