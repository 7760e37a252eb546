//! Argument tables: as the engine takes them, and as texts name their values.

use stele_core_engine::{self as engine, Argument, Arguments};
use stele_wire_amqp::{EncodedTable, Table, Value};

/// The table as the engine compares and matches it. Of a name that occurs twice the first value
/// holds.
pub(crate) fn arguments(table: &Table) -> Arguments {
    let mut arguments = Arguments::new();
    for (name, value) in table.iter() {
        arguments
            .entry(Box::from(name.as_str()))
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

/// The octets of an array or a table.
fn nested(value: &Value) -> Box<[u8]> {
    let table = Table::new().with("", value.clone());
    EncodedTable::from(&table).as_bytes()[..].into()
}

/// The headers of a message, for a headers exchange.
#[derive(Debug)]
pub(crate) struct MessageHeaders<'a>(pub(crate) &'a Table);

impl engine::Headers for MessageHeaders<'_> {
    fn header(&self, name: &str) -> Option<Argument> {
        self.0.find(name).map(argument)
    }
}

/// A value and its type as RabbitMQ names them: `the value '1000' of type 'signedint'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) type_name: String,
    pub(crate) text: String,
}

impl Described {
    pub(crate) fn of(value: &Value) -> Self {
        let text = match value {
            Value::LongString(octets) => String::from_utf8_lossy(octets).into_owned(),
            Value::Bool(value) => value.to_string(),
            other => other
                .as_integer()
                .map_or_else(|| format!("{other:?}"), |integer| integer.to_string()),
        };
        Self {
            type_name: value.type_name().to_owned(),
            text,
        }
    }

    pub(crate) fn long(&self) -> String {
        format!("the value '{}' of type '{}'", self.text, self.type_name)
    }

    /// Whether two values are the same to a declaration: integers of any width are.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.text == other.text && self.class() == other.class()
    }

    pub(crate) fn class(&self) -> &str {
        match self.type_name.as_str() {
            "byte" | "unsignedbyte" | "short" | "unsignedshort" | "signedint" | "unsignedint"
            | "long" => "integer",
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn nested_values_compare_by_their_octets() {
        let array = |octet| argument(&Value::Array(vec![Value::UInt8(octet)]));
        assert_eq!(array(1), array(1));
        assert_ne!(array(1), array(2));
    }
}
