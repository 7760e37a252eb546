//! The digests that SQS computes: MD5, with which SDKs check what they sent and received, and the
//! SHA-256 of content-based deduplication.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::message_attribute::{AttributeValue, MessageAttribute};

/// The digest of a body, in lower-case hexadecimal (`MD5OfMessageBody`, `MD5OfBody`).
pub fn md5_of_body(body: &[u8]) -> String {
    hexadecimal(Md5::digest(body).as_slice())
}

/// The deduplication id of a body in a queue with `ContentBasedDeduplication`: its SHA-256, in
/// lower-case hexadecimal. Attributes aren't included.
pub fn content_based_deduplication_id(body: &[u8]) -> String {
    hexadecimal(Sha256::digest(body).as_slice())
}

/// The digest of a message's attributes, or of its system attributes; `None` if it has none.
///
/// Covers each attribute, in byte order of the names: the name, the type and the value, each after
/// its length in four bytes, most significant first; between type and value one byte for the kind
/// of value, 1 for text and 2 for binary. From the developer guide, "Calculating the MD5 message
/// digest for message attributes".
pub fn md5_of_attributes<'a>(
    attributes: impl IntoIterator<Item = (&'a str, &'a MessageAttribute)>,
) -> Option<String> {
    let mut sorted: Vec<_> = attributes.into_iter().collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let mut digest = Md5::new();
    for (name, attribute) in sorted {
        update(&mut digest, name.as_bytes());
        update(&mut digest, attribute.data_type.as_bytes());
        match &attribute.value {
            AttributeValue::Text(text) => {
                digest.update([1]);
                update(&mut digest, text.as_bytes());
            }
            AttributeValue::Binary(bytes) => {
                digest.update([2]);
                update(&mut digest, bytes);
            }
        }
    }
    Some(hexadecimal(digest.finalize().as_slice()))
}

fn update(digest: &mut Md5, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("attributes are far shorter than 4 GiB");
    digest.update(length.to_be_bytes());
    digest.update(bytes);
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string can't fail");
            text
        })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn text(data_type: &str, value: &str) -> MessageAttribute {
        MessageAttribute {
            data_type: data_type.to_owned(),
            value: AttributeValue::Text(value.to_owned()),
        }
    }

    fn digest(attributes: &[(&str, MessageAttribute)]) -> String {
        md5_of_attributes(attributes.iter().map(|(name, value)| (*name, value))).unwrap()
    }

    /// Digests returned by AWS itself, as published in recorded test runs.
    #[test]
    fn digests_are_those_that_aws_answers() {
        assert_eq!(md5_of_body(b"msg"), "6e2baaf3b97dbeef01c0043275f9a0e7");
        let (general, hello, help) = (
            text("String", "Kenobi"),
            text("String", "There"),
            text("String", "Me"),
        );
        assert_eq!(
            digest(&[("Hello", hello.clone())]),
            "a311262e065454b75da111d535b8dacd"
        );
        assert_eq!(
            digest(&[("Hello", hello.clone()), ("General", general.clone())]),
            "fca026605781cb4126a1e9044df24232"
        );
        assert_eq!(
            digest(&[("Help.Me", help), ("Hello", hello), ("General", general)]),
            "4c360f3fdafd970e05fae2f149d997f5"
        );
        assert_eq!(
            digest(&[("Foo", text("String", "Bar"))]),
            "ae7155c6026991b6d54b11589678bf9c"
        );
        let trace = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01";
        let binary = MessageAttribute {
            data_type: "Binary".to_owned(),
            value: AttributeValue::Binary(Bytes::from_static(trace)),
        };
        assert_eq!(
            digest(&[("attr1", binary)]),
            "8cbe4db156db8a94db8b801b7addb984"
        );
    }

    #[test]
    fn content_based_ids_are_sha_256() {
        assert_eq!(
            content_based_deduplication_id(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_message_without_attributes_has_no_digest_of_them() {
        assert_eq!(md5_of_attributes([]), None);
    }
}
