//! The messages of the benchmark: sender and sequence number, padded to size. They are text,
//! because SQS accepts nothing else.

use bytes::Bytes;

/// The identity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Identity {
    pub(super) client: u16,
    pub(super) sequence: u64,
}

/// The body of the message, padded to `size_bytes`; longer if its identity needs more.
pub(super) fn body(identity: Identity, size_bytes: usize) -> Bytes {
    let mut text = format!("{} {} ", identity.client, identity.sequence).into_bytes();
    text.resize(size_bytes.max(text.len()), b'x');
    text.into()
}

/// The identity in a body; `None` if the message isn't from the benchmark.
pub(super) fn identity(body: &[u8]) -> Option<Identity> {
    let text = std::str::from_utf8(body).ok()?;
    let mut words = text.splitn(3, ' ');
    let client = words.next()?.parse().ok()?;
    let sequence = words.next()?.parse().ok()?;
    words.next().map(|_| Identity { client, sequence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_which_message_it_is() {
        let sent = Identity {
            client: 3,
            sequence: 70_000,
        };
        let body = body(sent, 64);
        assert_eq!(body.len(), 64);
        assert_eq!(identity(&body), Some(sent));
        assert_eq!(identity(b"hello"), None);
    }
}
