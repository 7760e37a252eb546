//! The header `x-delay` of messages for exchanges that delay (RabbitMQ's plugin
//! rabbitmq_delayed_message_exchange).
//!
//! A message with a delay is routed at once, and its queues hold it back. For a consumer the header
//! is negated, so that the message isn't delayed again if it is published as it is.

use stele_wire_amqp::{ShortOctets, Table, Value};

use crate::stored::Message;

const HEADER: &str = "x-delay";

/// Longer delays have no effect, as in the plugin: it is the longest of Erlang's timers.
const DELAY_MS_MAX: i64 = u32::MAX as i64;

/// The delay that a message asks for. `None` if it is 0, negative, too long or not a number.
pub(crate) fn requested_ms(headers: &Table) -> Option<u64> {
    let delay_ms = match headers.find(HEADER)? {
        Value::LongString(text) => std::str::from_utf8(text).ok()?.parse().ok()?,
        // Without its fraction; a float that is too large stays so.
        Value::Float(delay) => *delay as i64,
        Value::Double(delay) => *delay as i64,
        other => other.as_integer()?,
    };
    match delay_ms {
        1..=DELAY_MS_MAX => u64::try_from(delay_ms).ok(),
        _ => None,
    }
}

/// Delays a message.
pub(crate) fn delay(message: &mut Message, delay_ms: u64) {
    message.delay_ms = Some(delay_ms);
    message.set_headers(|headers| {
        let mut headers = headers.without(HEADER);
        headers.push(ShortOctets::from_static(HEADER), negated(delay_ms));
        headers
    });
}

/// For how long the message of these headers was delayed.
pub(crate) fn waited_ms(headers: &Table) -> u64 {
    let delay_ms = headers.find(HEADER).and_then(Value::as_integer);
    delay_ms.map_or(0, |delay_ms| delay_ms.min(0).unsigned_abs())
}

fn negated(delay_ms: u64) -> Value {
    let negative = -i64::try_from(delay_ms).unwrap_or(i64::MAX);
    i32::try_from(negative).map_or(Value::Int64(negative), Value::Int32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(value: Value) -> Option<u64> {
        requested_ms(&Table::new().with(HEADER, value))
    }

    #[test]
    fn a_delay_is_a_number_of_any_type_within_the_limit() {
        for (value, delay_ms) in [
            (Value::Int8(5), Some(5)),
            (Value::UInt16(5), Some(5)),
            (Value::Int64(u32::MAX.into()), Some(u32::MAX.into())),
            (Value::Int64(i64::from(u32::MAX) + 1), None),
            (Value::Int32(0), None),
            (Value::Int32(-5), None),
            (Value::Int64(i64::MIN), None),
            (Value::text("5000"), Some(5000)),
            (Value::text("-5"), None),
            (Value::text("5s"), None),
            (Value::text(""), None),
            (Value::text("99999999999999999999999"), None),
            (Value::Double(1.9), Some(1)),
            (Value::Float(0.9), None),
            (Value::Double(f64::INFINITY), None),
            (Value::Double(f64::NAN), None),
            (Value::Bool(true), None),
            (Value::Timestamp(5), None),
            (Value::Void, None),
        ] {
            assert_eq!(requested(value.clone()), delay_ms, "{value:?}");
        }
        assert_eq!(requested_ms(&Table::new()), None);
    }

    #[test]
    fn a_consumer_finds_it_negated() {
        assert_eq!(negated(5), Value::Int32(-5));
        let longest = negated(u32::MAX.into());
        assert_eq!(longest, Value::Int64(-i64::from(u32::MAX)));
        assert_eq!(requested(longest.clone()), None);
        assert_eq!(
            waited_ms(&Table::new().with(HEADER, longest)),
            u64::from(u32::MAX)
        );
        assert_eq!(waited_ms(&Table::new().with(HEADER, Value::Int8(5))), 0);
    }
}
