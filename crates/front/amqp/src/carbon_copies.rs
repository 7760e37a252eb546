//! The headers `CC` and `BCC` (RabbitMQ's extension): additional routing keys of a message. `BCC`
//! is removed before the message is stored, so that no consumer sees it. Its keys are stored apart,
//! since they apply again when the message is dead-lettered.

use stele_wire_amqp::{Table, Value};

use crate::{errors::Fault, octets::text_of, stored::Message};

pub(crate) const OPEN: &str = "CC";
const BLIND: &str = "BCC";

/// Returns the additional keys, and takes `BCC` out of the message's headers.
pub(crate) fn take(message: &mut Message) -> Result<Vec<String>, Fault> {
    if message.headers.is_empty() {
        return Ok(Vec::new());
    }
    let mut keys = keys_of(&message.headers, OPEN)?;
    let blind = keys_of(&message.headers, BLIND)?;
    if message.headers.find(BLIND).is_some() {
        message.remove_header(BLIND);
    }
    keys.extend(blind.iter().cloned());
    message.blind_keys = blind;
    Ok(keys)
}

/// The texts of a header that is an array; elements of other types are ignored.
fn keys_of(headers: &Table, name: &str) -> Result<Vec<String>, Fault> {
    match headers.find(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items
            .iter()
            .filter_map(|item| match item {
                Value::LongString(key) => Some(text_of(key).into_owned()),
                _ => None,
            })
            .collect()),
        Some(other) => Err(Fault::precondition(format!(
            "invalid message: {{unacceptable_type_in_header,\"{name}\",{}}}",
            other.type_name()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_texts_of_an_array() {
        let items = vec![Value::text("a"), Value::Int32(1), Value::text("b")];
        let headers = Table::new().with("CC", Value::Array(items));
        assert_eq!(keys_of(&headers, "CC").unwrap(), ["a", "b"]);
        assert!(keys_of(&headers, "BCC").unwrap().is_empty());
    }

    #[test]
    fn another_type_than_an_array_is_refused() {
        let headers = Table::new().with("BCC", Value::text("a"));
        assert_eq!(
            keys_of(&headers, "BCC").unwrap_err().text(),
            "PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\"BCC\",longstr}"
        );
    }
}
