//! Queue names, and their place in a QueueUrl.

use std::fmt;

use crate::{
    error::{Error, ErrorKind},
    limits::{EXISTING_QUEUE_NAME_LENGTH_MAX_BYTES, QUEUE_NAME_LENGTH_MAX_BYTES},
};

/// The suffix of a FIFO queue's name.
const FIFO_SUFFIX: &str = ".fifo";

/// A valid queue name. SQS creates queues with names of up to 80 letters, digits, hyphens and
/// underscores; a FIFO queue's ends in `.fifo`, which counts towards the length. The name of a
/// queue created by another protocol may be longer and contain dots anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueName(String);

impl QueueName {
    /// Makes the name of a queue to be created.
    pub fn new(text: &str) -> Result<Self, Error> {
        let stem = text.strip_suffix(FIFO_SUFFIX).unwrap_or(text);
        let fits = !stem.is_empty() && text.len() <= QUEUE_NAME_LENGTH_MAX_BYTES;
        if fits && stem.bytes().all(is_name_byte) {
            return Ok(Self(text.to_owned()));
        }
        Err(invalid())
    }

    /// Makes the name of a queue that may exist. `.` and `..` aren't allowed: as segments of a URL
    /// they have another meaning.
    pub fn of_existing(text: &str) -> Result<Self, Error> {
        let fits = (1..=EXISTING_QUEUE_NAME_LENGTH_MAX_BYTES).contains(&text.len());
        let is_byte = |byte| is_name_byte(byte) || byte == b'.';
        if fits && text.bytes().all(is_byte) && !matches!(text, "." | "..") {
            return Ok(Self(text.to_owned()));
        }
        Err(invalid())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is that of a FIFO queue.
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(FIFO_SUFFIX)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn invalid() -> Error {
    Error::new(
        ErrorKind::InvalidParameterValue,
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    )
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The queue name in a QueueUrl: its last segment, regardless of scheme, host and account, so that
/// a URL of AWS or of another server refers to the queue of that name here. A bare name is a URL of
/// one segment; a trailing slash, query string or fragment is ignored. `None` if nothing is left or
/// the segment isn't a queue name.
pub fn queue_name_in_url(url: &str) -> Option<QueueName> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let path = url[..end].trim_end_matches('/');
    if path.ends_with(':') {
        return None;
    }
    let (before, name) = path.rsplit_once('/').unwrap_or(("", path));
    // `https://sqs.us-east-1.amazonaws.com` ends in a host, not in a queue.
    if before.ends_with(":/") {
        return None;
    }
    QueueName::of_existing(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_grammar_of_create_queue() {
        let longest = "a".repeat(80);
        let longest_fifo = format!("{}.fifo", "a".repeat(75));
        for good in [
            "orders",
            "a",
            "A-b_9",
            "orders.fifo",
            &longest,
            &longest_fifo,
        ] {
            assert!(QueueName::new(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(81);
        let too_long_fifo = format!("{}.fifo", "a".repeat(76));
        for bad in [
            "",
            ".fifo",
            "a.b",
            "a.fifo.fifo",
            "a b",
            "ä",
            "a/b",
            "a.FIFO",
            &too_long,
            &too_long_fifo,
        ] {
            assert!(QueueName::new(bad).is_err(), "{bad}");
        }
        assert!(QueueName::new("orders.fifo").unwrap().is_fifo());
        assert!(!QueueName::new("orders").unwrap().is_fifo());
    }

    #[test]
    fn what_another_protocol_created_may_have_dots() {
        let longest = "a".repeat(255);
        for good in ["orders", "orders.fifo", "a.b", ".a", "...", &longest] {
            let name = QueueName::of_existing(good).unwrap();
            assert_eq!(name.as_str(), good);
            let url = format!("https://h/1/{good}");
            assert_eq!(queue_name_in_url(&url), Some(name));
        }
        let too_long = "a".repeat(256);
        for bad in ["", ".", "..", "a b", "a/b", "ä", "a:b", &too_long] {
            assert!(QueueName::of_existing(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_the_last_segment_of_a_url_counts() {
        for url in [
            "https://sqs.us-east-1.amazonaws.com/123456789/orders",
            "https://sqs.us-east-1.amazonaws.com/123456789012/orders/",
            "http://127.0.0.1:9324/000000000000/orders",
            "http://localhost:4566/queue/us-east-1/000000000000/orders?x=/y",
            "http://[::1]:9324/orders#top",
            "/123456789/orders",
            "orders",
        ] {
            assert_eq!(queue_name_in_url(url).unwrap().as_str(), "orders", "{url}");
        }
        for url in [
            "",
            "/",
            "http://",
            "https://localhost",
            "https://localhost/",
            "a b",
            "?orders",
            "x/..",
        ] {
            assert_eq!(queue_name_in_url(url), None, "{url}");
        }
    }
}
