//! The limits of the protocol, as AWS documents them, and those that keep decoding cheap.

/// The longest queue name, in bytes, `.fifo` included (CreateQueue, `QueueName`).
pub const QUEUE_NAME_LENGTH_MAX_BYTES: usize = 80;

/// The longest name of a queue that another protocol has created: AMQP's names are the longest.
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

/// The most values that one request may hold, counting lists, maps and their entries. The largest
/// sensible request (a batch of ten messages of ten attributes) has about 600; without a bound a
/// body of a million empty lists would cost thirty times its length.
pub const VALUES_MAX: usize = 8192;

/// How deep the names of a form may be nested: `Entry.1.MessageAttribute.1.Value.StringValue` has
/// six parts.
pub const FORM_DEPTH_MAX: usize = 8;
