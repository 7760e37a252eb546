//! The messages that the bench sends: who sent it and as which one, filled up to its size. Text,
//! since SQS takes nothing else.

use bytes::Bytes;

/// Which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Identity {
    pub(super) client: u16,
    pub(super) sequence: u64,
}

/// The body of the message, of `size_bytes` or as many as its identity needs.
pub(super) fn body(identity: Identity, size_bytes: usize) -> Bytes {
    let mut text = format!("{} {} ", identity.client, identity.sequence).into_bytes();
    text.resize(size_bytes.max(text.len()), b'x');
    text.into()
}

/// The message that a body is of; `None` where it isn't one of the bench's.
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
