//! Methods: the requests and replies of the two peers.
//!
//! ```text
//!  class u16 │ method u16 │ fields as the specification lists them
//! ```
//!
//! One struct per method, in a module per class, with the fields' names from the specification.
//! Reserved fields are skipped when reading and zero when writing.

mod define;
mod field;

pub mod access;
pub mod basic;
pub mod channel;
pub mod confirm;
pub mod connection;
pub mod exchange;
pub mod queue;
pub mod tx;

use bytes::Bytes;

use crate::{ReadError, Reader, Writer};

/// A method and its fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// Class 10: the connection itself, on channel 0.
    Connection(connection::Method),
    /// Class 20: opening and closing channels.
    Channel(channel::Method),
    /// Class 30: realms, from AMQP 0-8.
    Access(access::Method),
    /// Class 40: exchanges.
    Exchange(exchange::Method),
    /// Class 50: queues.
    Queue(queue::Method),
    /// Class 60: messages.
    Basic(basic::Method),
    /// Class 85: publisher confirms (RabbitMQ's extension).
    Confirm(confirm::Method),
    /// Class 90: transactions.
    Tx(tx::Method),
}

/// Why a method frame can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// Shorter than the two ids. The caller answers with a frame error.
    #[error("a method frame of {0} octets has no ids")]
    NoIds(usize),
    /// No such method. The caller closes the connection with "not implemented".
    #[error("unknown method {class_id}.{method_id}")]
    Unknown {
        /// The class's id as sent.
        class_id: u16,
        /// The method's id as sent.
        method_id: u16,
    },
    /// The fields can't be read. The caller answers with a syntax error.
    #[error("fields of method {class_id}.{method_id}: {source}")]
    Fields {
        /// The class's id.
        class_id: u16,
        /// The method's id.
        method_id: u16,
        /// What is wrong with them.
        source: ReadError,
    },
}

impl Method {
    /// Decodes a method frame's payload.
    pub fn decode(payload: Bytes) -> Result<Self, MethodError> {
        let length = payload.len();
        let mut reader = Reader::new(payload);
        let (Ok(class_id), Ok(method_id)) = (reader.u16(), reader.u16()) else {
            return Err(MethodError::NoIds(length));
        };
        let fields = |source| MethodError::Fields {
            class_id,
            method_id,
            source,
        };
        let method = match class_id {
            connection::CLASS_ID => {
                connection::Method::decode(method_id, &mut reader).map(|m| m.map(Self::Connection))
            }
            channel::CLASS_ID => {
                channel::Method::decode(method_id, &mut reader).map(|m| m.map(Self::Channel))
            }
            access::CLASS_ID => {
                access::Method::decode(method_id, &mut reader).map(|m| m.map(Self::Access))
            }
            exchange::CLASS_ID => {
                exchange::Method::decode(method_id, &mut reader).map(|m| m.map(Self::Exchange))
            }
            queue::CLASS_ID => {
                queue::Method::decode(method_id, &mut reader).map(|m| m.map(Self::Queue))
            }
            basic::CLASS_ID => {
                basic::Method::decode(method_id, &mut reader).map(|m| m.map(Self::Basic))
            }
            confirm::CLASS_ID => {
                confirm::Method::decode(method_id, &mut reader).map(|m| m.map(Self::Confirm))
            }
            tx::CLASS_ID => tx::Method::decode(method_id, &mut reader).map(|m| m.map(Self::Tx)),
            _ => Ok(None),
        };
        let method = method.map_err(fields)?.ok_or(MethodError::Unknown {
            class_id,
            method_id,
        })?;
        reader.finish().map_err(fields)?;
        Ok(method)
    }

    /// Writes a method frame's payload.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Connection(method) => method.encode(writer),
            Self::Channel(method) => method.encode(writer),
            Self::Access(method) => method.encode(writer),
            Self::Exchange(method) => method.encode(writer),
            Self::Queue(method) => method.encode(writer),
            Self::Basic(method) => method.encode(writer),
            Self::Confirm(method) => method.encode(writer),
            Self::Tx(method) => method.encode(writer),
        }
    }

    /// Class and method id.
    pub fn ids(&self) -> (u16, u16) {
        match self {
            Self::Connection(method) => (connection::CLASS_ID, method.id()),
            Self::Channel(method) => (channel::CLASS_ID, method.id()),
            Self::Access(method) => (access::CLASS_ID, method.id()),
            Self::Exchange(method) => (exchange::CLASS_ID, method.id()),
            Self::Queue(method) => (queue::CLASS_ID, method.id()),
            Self::Basic(method) => (basic::CLASS_ID, method.id()),
            Self::Confirm(method) => (confirm::CLASS_ID, method.id()),
            Self::Tx(method) => (tx::CLASS_ID, method.id()),
        }
    }

    /// The method's name in the specification, such as `queue.declare`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connection(method) => method.name(),
            Self::Channel(method) => method.name(),
            Self::Access(method) => method.name(),
            Self::Exchange(method) => method.name(),
            Self::Queue(method) => method.name(),
            Self::Basic(method) => method.name(),
            Self::Confirm(method) => method.name(),
            Self::Tx(method) => method.name(),
        }
    }
}

#[cfg(test)]
mod tests;
