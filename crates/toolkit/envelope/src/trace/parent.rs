//! `traceparent` (W3C Trace Context, section 3.2).
//!
//! ```text
//! 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//! │  │ trace id, 16 bytes             │ parent id, 8   │ flags
//! version
//! ```

use std::fmt;

use crate::Ids;

/// The id of a trace. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// The id of a span in a trace. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

impl TraceId {
    /// The id of these bits; `None` for 0, which isn't one.
    pub fn new(id: u128) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    /// Its bits, the most significant ones first in text.
    pub fn bits(self) -> u128 {
        self.0
    }
}

impl SpanId {
    /// The id of these bits; `None` for 0, which isn't one.
    pub fn new(id: u64) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    /// Its bits, the most significant ones first in text.
    pub fn bits(self) -> u64 {
        self.0
    }

    fn random(ids: &dyn Ids) -> Self {
        Self(ids.random().max(1))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The span that sent a message. Written in version 00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub parent_id: SpanId,
    /// [`TraceParent::SAMPLED`], [`TraceParent::RANDOM`].
    pub flags: u8,
}

impl TraceParent {
    /// The flag of a sender that may have recorded its span.
    pub const SAMPLED: u8 = 0x01;

    /// The flag of a trace id whose right half is random (Trace Context Level 2).
    pub const RANDOM: u8 = 0x02;

    /// A new trace, which is sampled.
    pub fn root(ids: &dyn Ids) -> Self {
        let id = u128::from(ids.random()) << 64 | u128::from(ids.random().max(1));
        Self {
            trace_id: TraceId(id),
            parent_id: SpanId::random(ids),
            flags: Self::SAMPLED | Self::RANDOM,
        }
    }

    /// Reads a header; `None` if it isn't valid. Of a version after 00 it takes the parts that 00
    /// has, as the specification asks, and of the flags only [`TraceParent::SAMPLED`].
    pub fn parse(text: &str) -> Option<Self> {
        const LENGTH: usize = 55;
        let (fields, rest) = text.as_bytes().split_at_checked(LENGTH)?;
        let hyphens = [2, 35, 52].iter().all(|&at| fields[at] == b'-');
        let version = hexadecimal(&fields[..2])?;
        let known_flags = match version {
            0 if rest.is_empty() => 0xff,
            1..=0xfe if rest.is_empty() || rest.starts_with(b"-") => Self::SAMPLED,
            _ => return None,
        };
        if !hyphens {
            return None;
        }
        let flags = u8::try_from(hexadecimal(&fields[53..])?).ok()?;
        Some(Self {
            trace_id: TraceId::new(hexadecimal(&fields[3..35])?)?,
            parent_id: SpanId::new(u64::try_from(hexadecimal(&fields[36..52])?).ok()?)?,
            flags: flags & known_flags,
        })
    }

    /// The same trace with a new span. Unknown flags aren't passed on.
    #[must_use]
    pub fn child(&self, ids: &dyn Ids) -> Self {
        Self {
            trace_id: self.trace_id,
            parent_id: SpanId::random(ids),
            flags: self.flags & (Self::SAMPLED | Self::RANDOM),
        }
    }

    /// Whether the sender may have recorded its span.
    pub fn is_sampled(&self) -> bool {
        self.flags & Self::SAMPLED != 0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            parent_id,
            flags,
        } = self;
        write!(f, "00-{trace_id}-{parent_id}-{flags:02x}")
    }
}

/// The number of at most 32 lower-case hexadecimal digits; upper-case ones aren't valid here.
fn hexadecimal(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SeededIds, Timestamp};

    /// The example of the specification.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn changed(at: usize, with: &str) -> String {
        let mut text = EXAMPLE.to_owned();
        text.replace_range(at..at + with.len(), with);
        text
    }

    #[test]
    fn the_specifications_example_is_read_and_written() {
        let parent = TraceParent::parse(EXAMPLE).expect("valid");
        assert_eq!(
            parent.trace_id.to_string(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert_eq!(parent.parent_id.to_string(), "00f067aa0ba902b7");
        assert!(parent.is_sampled());
        assert_eq!(parent.to_string(), EXAMPLE);
    }

    #[test]
    fn invalid_headers_are_ignored() {
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            "trace-abc".to_owned(),
            EXAMPLE[..54].to_owned(),
            format!("{EXAMPLE}-extra"),
            format!("{EXAMPLE} "),
            changed(0, "ff"),
            changed(0, "0A"),
            changed(2, "_"),
            changed(3, "4BF9"),
            changed(3, &zeros),
            changed(36, &zeros[..16]),
            changed(53, "0x"),
            changed(4, "é"),
        ] {
            assert_eq!(TraceParent::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_00() {
        for text in [changed(0, "cc"), format!("{}-what-comes", changed(0, "01"))] {
            let parent = TraceParent::parse(&text).expect("valid");
            assert_eq!(parent.to_string(), EXAMPLE);
        }
        assert_eq!(
            TraceParent::parse(&format!("{}.what", changed(0, "cc"))),
            None
        );
        let flags = TraceParent::parse(&changed(0, "cc").replace("-01", "-ff"));
        assert_eq!(flags.expect("valid").flags, TraceParent::SAMPLED);
    }

    #[test]
    fn a_child_keeps_the_trace_and_the_known_flags() {
        let ids = SeededIds::new(1, Timestamp::UNIX_EPOCH);
        let parent = TraceParent::parse(&changed(53, "fd")).expect("valid");
        let child = parent.child(&ids);
        assert_eq!(child.trace_id, parent.trace_id);
        assert_ne!(child.parent_id, parent.parent_id);
        assert_eq!(child.flags, TraceParent::SAMPLED);
        let root = TraceParent::root(&ids);
        assert_eq!(TraceParent::parse(&root.to_string()), Some(root));
    }
}
