//! The protocol's limits, as documented by AWS, and limits on the cost of decoding.

/// The longest queue name, in bytes, `.fifo` included (CreateQueue, `QueueName`).
pub const QUEUE_NAME_LENGTH_MAX_BYTES: usize = 80;

/// The longest name of a queue created by another protocol: AMQP allows the longest names.
pub const EXISTING_QUEUE_NAME_LENGTH_MAX_BYTES: usize = 255;

/// The most entries of a batch.
pub const BATCH_ENTRIES_MAX: usize = 10;

/// The longest id of a batch entry, in bytes.
pub const BATCH_ENTRY_ID_LENGTH_MAX_BYTES: usize = 80;

/// The most attributes of a message.
pub const MESSAGE_ATTRIBUTES_MAX: usize = 10;

/// The longest name and the longest type of a message attribute, in bytes.
pub const ATTRIBUTE_NAME_LENGTH_MAX_BYTES: usize = 256;

/// The largest message, and the largest sum of a batch: body and attributes, in bytes. 1 MiB since
/// August 2025, 256 KiB before.
pub const MESSAGE_SIZE_MAX_BYTES: usize = 1024 * 1024;

/// The most values in one request, counting lists, maps and their entries. The largest sensible
/// request (a batch of ten messages of ten attributes) has about 600; without a limit a body of a
/// million empty lists would take thirty times its length in memory.
pub const VALUES_MAX: usize = 8192;

/// The maximum nesting of a form's names: `Entry.1.MessageAttribute.1.Value.StringValue` has six
/// parts.
pub const FORM_DEPTH_MAX: usize = 8;
