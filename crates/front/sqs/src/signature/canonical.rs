//! The canonical form of a request, which is signed.
//!
//! ```text
//!  method \n path \n query, sorted \n name:value \n … \n\n signed;names \n SHA-256 of the body
//! ```

use std::fmt::Write as _;

use hyper::http::request::Parts;
use sha2::{Digest as _, Sha256};
use stele_wire_sqs::Error;

use super::incomplete;

/// A request with the names of its signed headers.
pub(super) struct CanonicalRequest<'a> {
    pub(super) head: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) signed_headers: &'a str,
}

impl CanonicalRequest<'_> {
    /// The SHA-256 of the canonical form, in hexadecimal.
    pub(super) fn digest(&self) -> Result<String, Error> {
        Ok(hexadecimal_digest(self.text()?.as_bytes()))
    }

    fn text(&self) -> Result<String, Error> {
        let head = self.head;
        Ok(format!(
            "{}\n{}\n{}\n{}\n{}\n{}",
            head.method,
            encode(head.uri.path(), true),
            canonical_query(head.uri.query().unwrap_or_default()),
            self.headers()?,
            self.signed_headers,
            hexadecimal_digest(self.body),
        ))
    }

    /// One line per signed header, with its values trimmed and runs of spaces collapsed.
    fn headers(&self) -> Result<String, Error> {
        let mut lines = String::new();
        for name in self.signed_headers.split(';') {
            let mut values = Vec::new();
            for value in self.head.headers.get_all(name) {
                let text = value
                    .to_str()
                    .map_err(|_| incomplete("a signed header isn't text"))?;
                values.push(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
            }
            if values.is_empty() {
                return Err(incomplete("a signed header is missing"));
            }
            writeln!(lines, "{name}:{}", values.join(",")).expect("writing to a string can't fail");
        }
        Ok(lines)
    }
}

/// The decoded pairs of a query string.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decode(name), decode(value))
    })
}

fn canonical_query(query: &str) -> String {
    let mut encoded: Vec<(String, String)> = pairs(query)
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encode(&name, false), encode(&value, false)))
        .collect();
    // Sorted by name and then by value: compared as whole texts, `A.10=` would come before `A.1=`.
    encoded.sort_unstable();
    let pairs = encoded
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// Percent-encodes all but RFC 3986's unreserved characters and, in a path, slashes.
fn encode(text: &str, is_path: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            b'/' if is_path => encoded.push('/'),
            _ => write!(encoded, "%{byte:02X}").expect("writing to a string can't fail"),
        }
    }
    encoded
}

/// Decodes `%XX` and `+`. A result that isn't UTF-8 can't match a valid client's signature.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hexadecimal_digit(*high).zip(hexadecimal_digit(*low)),
            _ => None,
        };
        match (escaped, first) {
            (Some((high, low)), _) => {
                bytes.push(high * 16 + low);
                rest = &after[2..];
            }
            (None, b'+') => bytes.push(b' '),
            (None, byte) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hexadecimal_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn hexadecimal_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string can't fail");
            text
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn queries_are_sorted_and_encoded_anew() {
        assert_eq!(
            canonical_query("b=2&a=x%20y&a=%2F&c"),
            "a=%2F&a=x%20y&b=2&c="
        );
        assert_eq!(canonical_query("X-Amz-Signature=abc&A=1"), "A=1");
        assert_eq!(
            canonical_query("A.10.b=x&A.1.b=y&A.1=1&A.10=2&A-=3"),
            "A-=3&A.1=1&A.1.b=y&A.10=2&A.10.b=x"
        );
        assert_eq!(encode("/123/orders.fifo", true), "/123/orders.fifo");
        assert_eq!(encode("/a%20b", true), "/a%2520b");
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(text: String) {
            prop_assert_eq!(decode(&encode(&text, false)), text);
        }

        #[test]
        fn any_query_is_read(query: String) {
            let _ = canonical_query(&query);
        }
    }
}
