//! Assembles a message from its frames.
//!
//! ```text
//!            basic.publish            header, size n > 0          n octets
//!  Nothing ───────────────▶ Header ─────────────────────▶ Body ────────────▶ Nothing, with a message
//!                              └── header, size 0 ─────────────────────────▶
//! ```

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;
use stele_wire_amqp::{ContentHeader, RawProperties, method::basic};

use crate::{errors::Fault, limits::BODY_FRAME_GATHER_BYTES};

/// A complete published message.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Exchange, key and flags.
    pub(crate) publish: basic::Publish,
    /// The properties in encoded form.
    pub(crate) properties: RawProperties,
    /// The body, in as many pieces as it arrived in, or fewer.
    pub(crate) body: Body,
}

/// A body in pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Body {
    pieces: SmallVec<[Bytes; 1]>,
    size_bytes: u64,
}

impl Body {
    pub(crate) fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Copies a small body to memory of its own, so that keeping it doesn't keep the whole read
    /// buffer.
    pub(crate) fn detach(&mut self) {
        for piece in &mut self.pieces {
            if piece.len() < BODY_FRAME_GATHER_BYTES {
                *piece = Bytes::copy_from_slice(piece);
            }
        }
    }

    /// The body in one piece, copied if it has several.
    pub(crate) fn whole(&self) -> Bytes {
        match &self.pieces[..] {
            [] => Bytes::new(),
            [piece] => piece.clone(),
            pieces => Bytes::from(pieces.concat()),
        }
    }
}

impl From<Bytes> for Body {
    fn from(body: Bytes) -> Self {
        Self {
            size_bytes: body.len() as u64,
            pieces: SmallVec::from_iter([body]),
        }
    }
}

/// Bytes of unfinished bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// Received bytes.
    pub(crate) received: u64,
    /// Missing bytes.
    pub(crate) missing: u64,
}

impl std::ops::AddAssign for Unfinished {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.missing += other.missing;
    }
}

impl std::ops::SubAssign for Unfinished {
    fn sub_assign(&mut self, other: Self) {
        self.received -= other.received;
        self.missing -= other.missing;
    }
}

/// The state of a channel between frames of a message.
#[derive(Debug, Default)]
pub(crate) enum Assembly {
    /// Between messages.
    #[default]
    Nothing,
    /// The method has arrived.
    Header(basic::Publish),
    /// The header has arrived too.
    Body(Partial),
}

/// A message with an incomplete body.
#[derive(Debug)]
pub(crate) struct Partial {
    publish: basic::Publish,
    properties: RawProperties,
    size_bytes: u64,
    body: Body,
    /// Small frames, combined to one piece.
    gathered: BytesMut,
}

impl Assembly {
    /// Whether a message is being received.
    pub(crate) fn is_under_way(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// The received and missing bytes of the body.
    pub(crate) fn unfinished(&self) -> Unfinished {
        match self {
            Self::Nothing | Self::Header(_) => Unfinished::default(),
            Self::Body(partial) => Unfinished {
                received: partial.body.size_bytes,
                missing: partial.size_bytes - partial.body.size_bytes,
            },
        }
    }

    /// Processes the header.
    pub(crate) fn header(
        &mut self,
        header: ContentHeader,
        body_bytes_max: u64,
    ) -> Result<Option<Content>, Fault> {
        let Self::Header(publish) = std::mem::take(self) else {
            return Err(Fault::unexpected_frame(
                "expected method frame, got content header frame instead",
            ));
        };
        if header.class_id != basic::CLASS_ID {
            return Err(Fault::unexpected_frame(format!(
                "expected content header for class 60, got one for class {} instead",
                header.class_id
            )));
        }
        if header.body_size > body_bytes_max {
            return Err(Fault::precondition(format!(
                "message size {} is larger than configured max size {body_bytes_max}",
                header.body_size
            )));
        }
        let partial = Partial {
            publish,
            properties: header.properties,
            size_bytes: header.body_size,
            body: Body::default(),
            gathered: BytesMut::new(),
        };
        Ok(self.advance(partial))
    }

    /// Processes a part of the body.
    pub(crate) fn body(&mut self, payload: Bytes) -> Result<Option<Content>, Fault> {
        let mut partial = match std::mem::take(self) {
            Self::Body(partial) => partial,
            Self::Header(_) => {
                return Err(Fault::unexpected_frame(
                    "expected content header for class 60, got content body frame instead",
                ));
            }
            Self::Nothing => {
                return Err(Fault::unexpected_frame(
                    "expected method frame, got content body frame instead",
                ));
            }
        };
        let left = partial.size_bytes - partial.body.size_bytes;
        if payload.len() as u64 > left {
            return Err(Fault::unexpected_frame(format!(
                "content body of {} octets where {left} were left",
                payload.len()
            )));
        }
        partial.push(payload);
        Ok(self.advance(partial))
    }

    /// Returns the message if it is complete; otherwise waits for more.
    fn advance(&mut self, partial: Partial) -> Option<Content> {
        if partial.body.size_bytes < partial.size_bytes {
            *self = Self::Body(partial);
            return None;
        }
        Some(partial.finish())
    }
}

impl Partial {
    fn push(&mut self, payload: Bytes) {
        self.body.size_bytes += payload.len() as u64;
        let is_last = self.body.size_bytes == self.size_bytes;
        let is_only = self.body.pieces.is_empty() && self.gathered.is_empty() && is_last;
        if payload.len() < BODY_FRAME_GATHER_BYTES && !is_only {
            self.gathered.extend_from_slice(&payload);
            return;
        }
        self.flush();
        self.body.pieces.push(payload);
    }

    fn flush(&mut self) {
        if !self.gathered.is_empty() {
            self.body.pieces.push(self.gathered.split().freeze());
        }
    }

    fn finish(mut self) -> Content {
        self.flush();
        Content {
            publish: self.publish,
            properties: self.properties,
            body: self.body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(size: u64) -> Assembly {
        let mut assembly = Assembly::Header(basic::Publish::default());
        let header = ContentHeader {
            class_id: 60,
            body_size: size,
            properties: RawProperties::default(),
        };
        assert!(assembly.header(header, 1 << 20).unwrap().is_none());
        assembly
    }

    #[test]
    fn a_body_in_one_frame_is_not_copied() {
        let payload = Bytes::from_static(b"hello");
        let content = started(5).body(payload.clone()).unwrap().unwrap();
        assert_eq!(content.body.pieces()[0].as_ptr(), payload.as_ptr());
    }

    #[test]
    fn a_body_of_one_octet_frames_becomes_one_piece() {
        let mut assembly = started(1000);
        for _ in 0..999 {
            assert!(assembly.body(Bytes::from_static(b"a")).unwrap().is_none());
        }
        let content = assembly.body(Bytes::from_static(b"b")).unwrap().unwrap();
        assert_eq!(content.body.pieces().len(), 1);
        assert_eq!(content.body.size_bytes(), 1000);
        assert!(!assembly.is_under_way());
    }

    #[test]
    fn pieces_keep_their_order() {
        let mut assembly = started(2 + 2000 + 1);
        assembly.body(Bytes::from_static(b"ab")).unwrap();
        assembly.body(Bytes::from(vec![b'c'; 2000])).unwrap();
        let content = assembly.body(Bytes::from_static(b"d")).unwrap().unwrap();
        let body = content.body.pieces().concat();
        assert_eq!((&body[..3], body[2002]), (&b"abc"[..], b'd'));
    }

    #[test]
    fn more_body_than_announced_is_refused() {
        let fault = started(3).body(Bytes::from_static(b"abcd")).unwrap_err();
        assert!(fault.code.hard);
    }

    #[test]
    fn a_body_over_the_limit_is_refused_by_its_header() {
        let mut assembly = Assembly::Header(basic::Publish::default());
        let header = ContentHeader {
            class_id: 60,
            body_size: 11,
            properties: RawProperties::default(),
        };
        let fault = assembly.header(header, 10).unwrap_err();
        assert_eq!(
            fault.text(),
            "PRECONDITION_FAILED - message size 11 is larger than configured max size 10"
        );
    }
}
