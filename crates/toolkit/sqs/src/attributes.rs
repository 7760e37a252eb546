//! What SQS takes as text, and as an attribute.

use aws_sdk_sqs::types::MessageAttributeValue;
use stele_toolkit_bus::TransportError;

use crate::errors::refused;

const NAME_LENGTH_MAX: usize = 256;

/// Whether SQS takes this as a text: the characters of XML 1.0, and at least one.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let is_allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            || c >= '\u{10000}'
    };
    !text.is_empty() && text.chars().all(is_allowed)
}

/// Whether SQS takes this as the name of an attribute, and Stele doesn't reserve it.
pub(crate) fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=NAME_LENGTH_MAX).contains(&name.len())
        && name.chars().all(is_allowed)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !["aws.", "amazon.", "stele."]
            .iter()
            .any(|prefix| lower.starts_with(prefix))
}

/// An attribute, and how many bytes it takes of a message's size.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) value: MessageAttributeValue,
    pub(crate) size_bytes: usize,
}

impl Attribute {
    /// A text if it is one, else octets. There must be at least one.
    pub(crate) fn new(name: &str, value: &[u8]) -> Result<Self, TransportError> {
        let building = MessageAttributeValue::builder();
        let (data_type, building) = match std::str::from_utf8(value) {
            Ok(text) if is_text(value) => ("String", building.string_value(text)),
            _ => ("Binary", building.binary_value(value.to_vec().into())),
        };
        let built = building.data_type(data_type).build();
        Ok(Self {
            name: name.to_owned(),
            value: built.map_err(|error| refused(error.to_string()))?,
            size_bytes: name.len() + data_type.len() + value.len(),
        })
    }
}

/// The octets of an attribute.
pub(crate) fn octets(attribute: &MessageAttributeValue) -> Option<&[u8]> {
    let text = attribute.string_value().map(str::as_bytes);
    text.or_else(|| attribute.binary_value().map(AsRef::as_ref))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_characters_and_only_those_of_xml() {
        for text in ["a", " ", "\t\r\n", "\u{e9}\u{1f680}", "\u{fffd}"] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        for bytes in [&b""[..], b"\0", b"\x1f", b"\xff", "\u{ffff}".as_bytes()] {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn names_are_those_that_aws_allows_and_nobody_reserves() {
        for name in ["a", "trace-parent", "A_b.c9"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "", ".a", "a.", "a..b", "AWS.x", "amazon.x", "stele.x", "a b", "\u{e9}",
        ] {
            assert!(!is_name(name), "{name}");
        }
        assert!(!is_name(&"x".repeat(257)));
    }
}
