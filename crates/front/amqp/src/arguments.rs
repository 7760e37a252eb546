//! Argument tables: converts them for the engine, and formats their values for messages.

use stele_core_engine::{self as engine, Argument, Arguments};
use stele_wire_amqp::{EncodedTable, Properties, Table, Value};

use crate::octets::text_of;

/// The table in the form that the engine compares and matches. If a name occurs twice, the first
/// value counts.
pub(crate) fn arguments(table: &Table) -> Arguments {
    let mut arguments = Arguments::new();
    for (name, value) in table.iter() {
        arguments
            .entry(Box::from(&*text_of(name.as_bytes())))
            .or_insert_with(|| argument(value));
    }
    arguments
}

/// One value.
pub(crate) fn argument(value: &Value) -> Argument {
    match value {
        Value::Void => Argument::Void,
        Value::Bool(value) => Argument::Bool(*value),
        Value::Int8(_)
        | Value::UInt8(_)
        | Value::Int16(_)
        | Value::UInt16(_)
        | Value::Int32(_)
        | Value::UInt32(_)
        | Value::Int64(_) => Argument::Integer(value.as_integer().unwrap_or_default()),
        Value::Float(value) => Argument::Float(f64::from(*value)),
        Value::Double(value) => Argument::Float(*value),
        Value::LongString(octets) | Value::ByteArray(octets) => Argument::Text(octets[..].into()),
        Value::Timestamp(seconds) => Argument::Timestamp(*seconds),
        Value::Decimal { scale, unscaled } => Argument::Decimal(*scale, unscaled.cast_signed()),
        Value::Array(_) | Value::Table(_) => Argument::Nested(nested(value)),
    }
}

/// The bytes of an array or a table.
fn nested(value: &Value) -> Box<[u8]> {
    let table = Table::new().with("", value.clone());
    EncodedTable::from(&table).as_bytes()[..].into()
}

/// What exchanges route a message by, besides its keys.
pub(crate) struct Routed<'a> {
    pub(crate) headers: &'a Table,
    pub(crate) properties: &'a Properties,
    pub(crate) random: &'a dyn Fn() -> u64,
}

impl engine::Headers for Routed<'_> {
    fn header(&self, name: &str) -> Option<Argument> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(key, _)| text_of(key.as_bytes()) == name);
        found.map(|(_, value)| argument(value))
    }

    fn property(&self, name: &str) -> Option<Box<[u8]>> {
        let properties = self.properties;
        let text = match name {
            "correlation_id" => properties.correlation_id.as_ref()?,
            "message_id" => properties.message_id.as_ref()?,
            "timestamp" => return Some(properties.timestamp?.to_string().into_bytes().into()),
            _ => return None,
        };
        Some(text.as_bytes()[..].into())
    }

    fn random(&self) -> u64 {
        (self.random)()
    }
}

/// A value as in RabbitMQ's messages: an Erlang term.
pub(crate) fn term(value: &Value) -> String {
    match value {
        Value::Void => "undefined".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::Double(value) => format!("{value:?}"),
        Value::Decimal { scale, unscaled } => format!("{{{scale},{unscaled}}}"),
        Value::Timestamp(seconds) => seconds.to_string(),
        Value::LongString(octets) | Value::ByteArray(octets) => binary(octets),
        Value::Array(values) => list(values.iter().map(|value| {
            let (name, value) = (value.type_name(), term(value));
            format!("{{{name},{value}}}")
        })),
        Value::Table(table) => list(table.iter().map(|(name, value)| {
            let (key, value_type) = (binary(name.as_bytes()), value.type_name());
            format!("{{{key},{value_type},{}}}", term(value))
        })),
        integer => integer.as_integer().unwrap_or_default().to_string(),
    }
}

fn list(terms: impl Iterator<Item = String>) -> String {
    format!("[{}]", terms.collect::<Vec<_>>().join(","))
}

/// Text in quotes; bytes that aren't all ASCII as numbers.
pub(crate) fn binary(octets: &[u8]) -> String {
    let is_shown = |octet: &u8| octet.is_ascii_graphic() || *octet == b' ';
    if !octets.is_empty() && octets.iter().all(is_shown) {
        return format!(
            "<<\"{}\">>",
            String::from_utf8_lossy(octets).replace('"', "\\\"")
        );
    }
    let numbers = octets.iter().map(u8::to_string).collect::<Vec<_>>();
    format!("<<{}>>", numbers.join(","))
}

/// A value and its type as in RabbitMQ's messages: `the value '1000' of type 'signedint'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) type_name: String,
    pub(crate) text: String,
}

impl Described {
    pub(crate) fn of(value: &Value) -> Self {
        let text = match value {
            Value::LongString(octets) | Value::ByteArray(octets) => {
                String::from_utf8_lossy(octets).into_owned()
            }
            other => term(other),
        };
        Self {
            type_name: value.type_name().to_owned(),
            text,
        }
    }

    pub(crate) fn long(&self) -> String {
        format!("the value '{}' of type '{}'", self.text, self.type_name)
    }

    /// The form used when a message shows two values.
    pub(crate) fn short(&self) -> String {
        if self.type_name == Value::Void.type_name() {
            "none".to_owned()
        } else {
            format!("'{}'", self.text)
        }
    }

    /// Whether a declaration treats both values as equal: integers of different widths are, and so
    /// are timestamps.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.text == other.text && self.class() == other.class()
    }

    pub(crate) fn is_integer(&self) -> bool {
        self.class() == "integer"
    }

    fn class(&self) -> &str {
        match self.type_name.as_str() {
            "byte" | "unsignedbyte" | "short" | "unsignedshort" | "signedint" | "unsignedint"
            | "long" | "timestamp" => "integer",
            "double" => "float",
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn integers_of_any_width_are_the_same() {
        let arguments = arguments(
            &Table::new()
                .with("a", Value::Int8(5))
                .with("b", Value::Int64(5))
                .with("a", Value::Int8(6)),
        );
        assert_eq!(arguments["a"], arguments["b"]);
        assert!(Described::of(&Value::UInt16(5)).is_like(&Described::of(&Value::Int64(5))));
        assert!(!Described::of(&Value::text("5")).is_like(&Described::of(&Value::Int64(5))));
    }

    #[test]
    fn values_are_shown_as_rabbitmq_shows_them() {
        let table = Table::new().with("k", Value::text("v"));
        let shown = [
            (Value::text(""), "<<>>"),
            (Value::text("abc"), "<<\"abc\">>"),
            (Value::ByteArray(Bytes::from_static(&[255, 1])), "<<255,1>>"),
            (Value::text("b\u{e9}\u{20ac}"), "<<98,195,169,226,130,172>>"),
            (Value::Float(1.5), "1.5"),
            (Value::Double(5.0), "5.0"),
            (
                Value::Decimal {
                    scale: 1,
                    unscaled: 50,
                },
                "{1,50}",
            ),
            (Value::Timestamp(5), "5"),
            (Value::Void, "undefined"),
            (Value::Array(vec![Value::Int32(5)]), "[{signedint,5}]"),
            (Value::Array(Vec::new()), "[]"),
            (Value::Table(table), "[{<<\"k\">>,longstr,<<\"v\">>}]"),
        ];
        for (value, text) in shown {
            assert_eq!(term(&value), text);
        }
    }

    #[test]
    fn nested_values_compare_by_their_octets() {
        let array = |octet| argument(&Value::Array(vec![Value::UInt8(octet)]));
        assert_eq!(array(1), array(1));
        assert_ne!(array(1), array(2));
    }
}
