//! AMQP 0-9-1 frames, methods and properties as values.
//!
//! Converts between bytes and values, and does nothing else: no I/O, no clock, no state beyond the
//! codec's own.
//!
//! ```text
//!  bytes ──FrameDecoder──▶ Frame ─┬─ Method   (Method::decode)
//!                                 ├─ Header   (ContentHeader, its property list kept raw)
//!                                 ├─ Body     (a slice of the read buffer, not a copy)
//!                                 └─ Heartbeat
//! ```
//!
//! Invariants:
//! - No input causes a panic, or costs more memory than its own length: strings and bodies are
//!   slices of the frame, and tables are decoded only on demand and nest at most
//!   [`limits::NESTING_MAX`] deep.
//! - What is read can be written back byte for byte: property lists and header tables stay encoded
//!   until a value is requested.
//!
//! Source: AMQP 0-9-1 specification and its XML definition, with RabbitMQ's published extensions
//! and errata for field types.

mod content_header;
mod frame;
pub mod limits;
pub mod method;
mod properties;
mod protocol_header;
mod reader;
pub mod reply_code;
mod short_octets;
mod short_string;
mod table;
mod writer;

pub use content_header::{ContentHeader, ContentHeaderError};
pub use frame::{
    FRAME_END, FRAME_HEADER_BYTES, Frame, FrameDecoder, FrameError, HEARTBEAT_FRAME, encode,
};
pub use method::{Method, MethodError};
pub use properties::{Properties, RawProperties};
pub use protocol_header::{PROTOCOL_HEADER, ProtocolHeader};
pub use reader::{ReadError, Reader};
pub use short_octets::ShortOctets;
pub use short_string::{ShortString, ShortStringError};
pub use table::{EncodedTable, Table, Value};
pub use writer::Writer;
