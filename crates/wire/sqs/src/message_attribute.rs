//! The attributes of a message.

use bytes::Bytes;

use crate::{
    error::{Error, ErrorKind},
    limits::ATTRIBUTE_NAME_LENGTH_MAX_BYTES,
    members::{MapName, Members},
    text::is_message_text,
    writer::Writer,
};

/// The map of a message's own attributes.
pub(crate) const MESSAGE_ATTRIBUTES: MapName = MapName {
    json: "MessageAttributes",
    query: "MessageAttribute",
    key: "Name",
};

/// The map of the attributes that a sender sets for SQS itself (`AWSTraceHeader`).
pub(crate) const SYSTEM_ATTRIBUTES: MapName = MapName {
    json: "MessageSystemAttributes",
    query: "MessageSystemAttribute",
    key: "Name",
};

/// A valid attribute: its type and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with an optional label after a dot (`Number.float`).
    pub data_type: String,
    /// The value, which matches the type.
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// The value of a `String` or a `Number`.
    Text(String),
    /// The value of a `Binary`.
    Binary(Bytes),
}

/// An attribute as received. It is checked for each message instead of while decoding, since a bad
/// attribute fails one entry of a batch, not the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeInput {
    /// `DataType`, required.
    pub data_type: Option<String>,
    /// `StringValue`.
    pub text: Option<String>,
    /// `BinaryValue`.
    pub binary: Option<Bytes>,
    /// Whether `StringListValues` or `BinaryListValues` was given, which SQS reserves.
    pub has_list: bool,
}

impl MessageAttribute {
    /// Checks the attribute `name` as SendMessage does.
    pub fn from_input(name: &str, input: AttributeInput) -> Result<Self, Error> {
        check_name(name)?;
        let data_type = input.data_type.unwrap_or_default();
        check_type(name, &data_type)?;
        if input.has_list {
            return Err(invalid(format!(
                "Message attribute list values in SendMessage operation are not supported. \
                 Attribute '{name}'."
            )));
        }
        let value = value_of(name, &data_type, input.text, input.binary)?;
        Ok(Self { data_type, value })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        match &self.value {
            AttributeValue::Text(text) => writer.text("StringValue", text),
            AttributeValue::Binary(bytes) => writer.blob("BinaryValue", bytes),
        }
        writer.text("DataType", &self.data_type);
    }
}

impl AttributeInput {
    /// The size of type and value.
    pub(crate) fn size_bytes(&self) -> usize {
        let text = self.text.as_ref().map_or(0, String::len);
        let binary = self.binary.as_ref().map_or(0, Bytes::len);
        self.data_type.as_ref().map_or(0, String::len) + text + binary
    }

    pub(crate) fn read_map(
        members: &mut Members,
        name: MapName,
    ) -> Result<Vec<(String, Self)>, Error> {
        let entries = members.map(name)?.into_iter();
        entries
            .map(|(key, mut value)| Ok((key, Self::read(&mut value)?)))
            .collect()
    }

    fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            data_type: members.text("DataType")?,
            text: members.text("StringValue")?,
            binary: members.blob("BinaryValue")?,
            has_list: members.has_any(&[
                "StringListValues",
                "StringListValue",
                "BinaryListValues",
                "BinaryListValue",
            ]),
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.optional_text("StringValue", self.text.as_deref());
        if let Some(bytes) = &self.binary {
            writer.blob("BinaryValue", bytes);
        }
        writer.optional_text("DataType", self.data_type.as_deref());
    }
}

impl From<MessageAttribute> for AttributeInput {
    fn from(attribute: MessageAttribute) -> Self {
        let (text, binary) = match attribute.value {
            AttributeValue::Text(text) => (Some(text), None),
            AttributeValue::Binary(bytes) => (None, Some(bytes)),
        };
        Self {
            data_type: Some(attribute.data_type),
            text,
            binary,
            has_list: false,
        }
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > ATTRIBUTE_NAME_LENGTH_MAX_BYTES {
        return Err(invalid(format!(
            "Length of message attribute name must be between 1 and \
             {ATTRIBUTE_NAME_LENGTH_MAX_BYTES} bytes, was: {}.",
            name.len()
        )));
    }
    let is_name_character =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.');
    if !name.chars().all(is_name_character) {
        return Err(invalid(format!(
            "Invalid non-alphanumeric character was found in the message attribute name '{name}'. \
             Can only include alphanumeric characters, hyphens, underscores, or periods."
        )));
    }
    let lower = name.to_ascii_lowercase();
    let is_reserved = lower.starts_with("aws.") || lower.starts_with("amazon.");
    if is_reserved || name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(invalid(format!(
            "You can't use the message attribute name '{name}': names beginning with 'AWS.' \
             or 'Amazon.' are reserved, and periods can't stand first, last or next to each other."
        )));
    }
    Ok(())
}

fn check_type(name: &str, data_type: &str) -> Result<(), Error> {
    if data_type.is_empty() {
        return Err(invalid(format!(
            "The message attribute '{name}' must contain a non-empty message attribute type."
        )));
    }
    if data_type.len() > ATTRIBUTE_NAME_LENGTH_MAX_BYTES {
        return Err(invalid(format!(
            "Length of message attribute type must be less than \
             {ATTRIBUTE_NAME_LENGTH_MAX_BYTES} bytes."
        )));
    }
    let base = base_type(data_type);
    if !matches!(base, "String" | "Number" | "Binary") || !is_message_text(data_type) {
        return Err(invalid(format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only \
             the following supported type prefixes: Binary, Number, String."
        )));
    }
    Ok(())
}

/// The type without its label.
fn base_type(data_type: &str) -> &str {
    data_type
        .split_once('.')
        .map_or(data_type, |(base, _)| base)
}

fn value_of(
    name: &str,
    data_type: &str,
    text: Option<String>,
    binary: Option<Bytes>,
) -> Result<AttributeValue, Error> {
    let base = base_type(data_type);
    let empty = || {
        invalid(format!(
            "Message (user) attribute '{name}' must contain a non-empty value of type '{base}'."
        ))
    };
    if base == "Binary" {
        let bytes = binary.filter(|bytes| !bytes.is_empty()).ok_or_else(empty)?;
        return Ok(AttributeValue::Binary(bytes));
    }
    let text = text.filter(|text| !text.is_empty()).ok_or_else(empty)?;
    if !is_message_text(&text) {
        return Err(invalid(format!(
            "Invalid characters found in the value of message attribute '{name}'."
        )));
    }
    if base == "Number" && !is_number(&text) {
        return Err(invalid(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        )));
    }
    Ok(AttributeValue::Text(text))
}

/// Whether `text` is a decimal number. Excludes infinities and not-a-number, which Rust would
/// parse.
fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameterValue, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(data_type: &str, text: &str) -> AttributeInput {
        AttributeInput {
            data_type: Some(data_type.to_owned()),
            text: Some(text.to_owned()),
            ..AttributeInput::default()
        }
    }

    #[test]
    fn types_carry_labels_and_decide_the_value() {
        for (data_type, text) in [
            ("String", "x"),
            ("String.json", "{}"),
            ("Number", "-1.5e3"),
            ("Number.int", "7"),
        ] {
            let attribute = MessageAttribute::from_input("a", input(data_type, text)).unwrap();
            assert_eq!(attribute.value, AttributeValue::Text(text.to_owned()));
        }
        let binary = AttributeInput {
            data_type: Some("Binary.png".to_owned()),
            binary: Some(Bytes::from_static(b"\0\xFF")),
            ..AttributeInput::default()
        };
        let attribute = MessageAttribute::from_input("a", binary).unwrap();
        assert_eq!(
            attribute.value,
            AttributeValue::Binary(Bytes::from_static(b"\0\xFF"))
        );
    }

    #[test]
    fn bad_types_and_values_are_refused() {
        for (data_type, text) in [
            ("", "x"),
            ("Text", "x"),
            ("string", "x"),
            ("Strings", "x"),
            ("Number", "x"),
            ("Number", "inf"),
            ("String", ""),
            ("String", "a\u{1}"),
            ("Binary", "x"),
            ("Number", ""),
        ] {
            assert!(
                MessageAttribute::from_input("a", input(data_type, text)).is_err(),
                "{data_type} {text:?}"
            );
        }
        let listed = AttributeInput {
            has_list: true,
            ..input("String", "x")
        };
        assert!(MessageAttribute::from_input("a", listed).is_err());
    }

    #[test]
    fn names_follow_the_developer_guide() {
        for good in ["a", "A.b-c_9", "awsx", &"n".repeat(256)] {
            assert!(
                MessageAttribute::from_input(good, input("String", "x")).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "",
            "AWS.x",
            "amazon.x",
            ".a",
            "a.",
            "a..b",
            "a b",
            "a/b",
            "größe",
            "名",
            "a\u{661}",
            &"n".repeat(257),
        ] {
            assert!(
                MessageAttribute::from_input(bad, input("String", "x")).is_err(),
                "{bad}"
            );
        }
    }
}
