//! Delays of messages: by the header `x-delay` for exchanges that delay (RabbitMQ's plugin
//! rabbitmq_delayed_message_exchange), and by Stele's own header `x-stele-delay` for any exchange.
//!
//! A message with a short delay is routed at once, and its queues hold it back. With a longer one
//! it is scheduled, and routed shortly before it is due ([`stele_core_broker::Scheduled`]). For a
//! consumer the header is negated, so that the message isn't delayed again if it is published as it
//! is.

use stele_base_types::Timestamp;
use stele_core_broker::{SCHEDULED_MS_MAX, Scheduled, next_stay};
use stele_core_engine::Schedule;
use stele_wire_amqp::{Table, Value};

use crate::{errors::Fault, stored::Message};

/// The header for exchanges that delay.
const OF_EXCHANGE: &str = "x-delay";

/// The header for all exchanges.
const OWN: &str = "x-stele-delay";

/// Longer delays have no effect, as in the plugin: it is the longest of Erlang's timers.
const DELAY_MS_MAX: i64 = u32::MAX as i64;

/// What a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requested {
    /// The delay, at least 1.
    pub(crate) delay_ms: u64,
    /// Whether it is delayed on its way to all queues, not only behind an exchange that delays.
    pub(crate) delays_all: bool,
}

/// How a message is delayed.
#[derive(Clone, Debug)]
pub(crate) enum Delay {
    /// Its queues hold it back for so many milliseconds.
    Held(u64),
    /// It is due after so many milliseconds, and goes where this says.
    Scheduled(u64, Scheduled),
}

impl Requested {
    /// The first stay of the message if it is scheduled. Otherwise its queues hold it back.
    pub(crate) fn stay(self) -> Option<Schedule> {
        next_stay(self.delay_ms)
    }

    /// The delay of a message with these further keys.
    pub(crate) fn delay(self, more_keys: Vec<String>) -> Delay {
        if self.stay().is_none() {
            return Delay::Held(self.delay_ms);
        }
        let scheduled = Scheduled {
            more_keys,
            delays_all: self.delays_all,
            ..Scheduled::default()
        };
        Delay::Scheduled(self.delay_ms, scheduled)
    }
}

impl Delay {
    /// The delay and the time to live of a message in the log that it is published to.
    pub(crate) fn times_ms(&self, expiry_ms: Option<u64>) -> (Option<u64>, Option<u64>) {
        match self {
            Self::Held(delay_ms) => (Some(*delay_ms), expiry_ms),
            Self::Scheduled(..) => (None, self.stay().and_then(|stay| stay.expiry_ms)),
        }
    }

    /// The first stay of a message that is scheduled.
    pub(crate) fn stay(&self) -> Option<Schedule> {
        match self {
            Self::Held(_) => None,
            Self::Scheduled(delay_ms, _) => next_stay(*delay_ms),
        }
    }

    /// The header of a message that is scheduled now.
    pub(crate) fn header(&self, now: Timestamp) -> Option<Vec<u8>> {
        let Self::Scheduled(delay_ms, scheduled) = self else {
            return None;
        };
        let scheduled = Scheduled {
            due_ms: now.plus_ms(*delay_ms).0,
            ..scheduled.clone()
        };
        Some(scheduled.value())
    }
}

/// The delay of a message that may pass an exchange that delays. `x-stele-delay` must be a number
/// of at most a hundred years, and has no effect if it isn't positive.
pub(crate) fn requested(headers: &Table, passes_delay: bool) -> Result<Option<Requested>, Fault> {
    let Some(value) = headers.find(OWN) else {
        let delay_ms = match passes_delay {
            true => requested_ms(headers),
            false => None,
        };
        return Ok(delay_ms.map(|delay_ms| Requested {
            delay_ms,
            delays_all: false,
        }));
    };
    let invalid = |what| Fault::precondition(format!("invalid header '{OWN}': {what}"));
    let delay_ms = number(value).ok_or_else(|| invalid("expected a number of milliseconds"))?;
    let delay_ms = u64::try_from(delay_ms).unwrap_or(0);
    if delay_ms > SCHEDULED_MS_MAX {
        return Err(invalid("more than a hundred years"));
    }
    Ok((delay_ms > 0).then_some(Requested {
        delay_ms,
        delays_all: true,
    }))
}

/// The delay that a message asks of an exchange that delays. `None` if it is 0, negative, too long
/// or not a number.
pub(crate) fn requested_ms(headers: &Table) -> Option<u64> {
    match number(headers.find(OF_EXCHANGE)?)? {
        delay_ms @ 1..=DELAY_MS_MAX => u64::try_from(delay_ms).ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::LongString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        // Without its fraction; a float that is too large stays so.
        Value::Float(delay) => Some(*delay as i64),
        Value::Double(delay) => Some(*delay as i64),
        other => other.as_integer(),
    }
}

/// Delays a message.
pub(crate) fn delay(message: &mut Message, requested: Requested, more_keys: Vec<String>) {
    let name = match requested.delays_all {
        true => OWN,
        false => OF_EXCHANGE,
    };
    message.set_headers(|headers| negate(headers, name, requested.delay_ms));
    message.delay = Some(requested.delay(more_keys));
}

/// The headers of a dead letter that an exchange has delayed.
pub(crate) fn delayed_by_exchange(headers: Table) -> Table {
    match requested_ms(&headers) {
        Some(delay_ms) => negate(headers, OF_EXCHANGE, delay_ms),
        None => headers,
    }
}

/// For how long the message of these headers was delayed.
pub(crate) fn waited_ms(headers: &Table) -> u64 {
    let waited_ms = |name| {
        let delay_ms = headers.find(name).and_then(Value::as_integer);
        delay_ms.map_or(0, |delay_ms| delay_ms.min(0).unsigned_abs())
    };
    waited_ms(OF_EXCHANGE).max(waited_ms(OWN))
}

fn negate(headers: Table, name: &'static str, delay_ms: u64) -> Table {
    let headers = headers.without(name);
    headers.with(name, negated(delay_ms))
}

fn negated(delay_ms: u64) -> Value {
    let negative = -i64::try_from(delay_ms).unwrap_or(i64::MAX);
    i32::try_from(negative).map_or(Value::Int64(negative), Value::Int32)
}

#[cfg(test)]
mod tests {
    use stele_core_broker::HELD_MS_MAX;

    use super::*;

    fn of_exchange(value: Value) -> Option<u64> {
        requested_ms(&Table::new().with(OF_EXCHANGE, value))
    }

    fn own(value: Value) -> Result<Option<Requested>, String> {
        let requested = requested(&Table::new().with(OWN, value), false);
        requested.map_err(|fault| fault.text().to_owned())
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
            assert_eq!(of_exchange(value.clone()), delay_ms, "{value:?}");
        }
        assert_eq!(requested_ms(&Table::new()), None);
    }

    #[test]
    fn steles_own_delay_may_be_a_hundred_years_and_must_be_a_number() {
        let century = i64::try_from(SCHEDULED_MS_MAX).unwrap();
        for (value, delay_ms) in [
            (Value::Int64(century), Some(SCHEDULED_MS_MAX)),
            (Value::text("5"), Some(5)),
            (Value::Double(5.5), Some(5)),
            (Value::Int8(0), None),
            (Value::Int8(-5), None),
            (Value::Int64(i64::MIN), None),
        ] {
            let requested = delay_ms.map(|delay_ms| Requested {
                delay_ms,
                delays_all: true,
            });
            assert_eq!(own(value.clone()), Ok(requested), "{value:?}");
        }
        let prefix = "PRECONDITION_FAILED - invalid header 'x-stele-delay'";
        for value in [Value::text("soon"), Value::Bool(true), Value::Void] {
            let expected = format!("{prefix}: expected a number of milliseconds");
            assert_eq!(own(value), Err(expected));
        }
        for value in [Value::Int64(century + 1), Value::Double(f64::INFINITY)] {
            let expected = format!("{prefix}: more than a hundred years");
            assert_eq!(own(value), Err(expected));
        }
    }

    #[test]
    fn it_is_the_one_that_counts() {
        let both = Table::new()
            .with(OF_EXCHANGE, Value::Int8(5))
            .with(OWN, Value::Int8(7));
        let requested_of = |headers: &Table| requested(headers, true).unwrap().unwrap();
        assert_eq!(requested_of(&both).delay_ms, 7);
        let alone = both.without(OWN);
        let requested = requested_of(&alone);
        assert_eq!((requested.delay_ms, requested.delays_all), (5, false));
        assert_eq!(super::requested(&alone, false), Ok(None));
    }

    #[test]
    fn a_consumer_finds_it_negated() {
        assert_eq!(negated(5), Value::Int32(-5));
        let longest = negated(u32::MAX.into());
        assert_eq!(longest, Value::Int64(-i64::from(u32::MAX)));
        assert_eq!(of_exchange(longest.clone()), None);
        for name in [OF_EXCHANGE, OWN] {
            let headers = Table::new().with(name, longest.clone());
            assert_eq!(waited_ms(&headers), u64::from(u32::MAX));
        }
        assert_eq!(
            waited_ms(&Table::new().with(OF_EXCHANGE, Value::Int8(5))),
            0
        );
        let delayed = delayed_by_exchange(Table::new().with(OF_EXCHANGE, Value::text("5")));
        assert_eq!(delayed.find(OF_EXCHANGE), Some(&Value::Int32(-5)));
    }

    #[test]
    fn a_long_delay_is_a_schedule_of_its_own() {
        let requested = |delay_ms| Requested {
            delay_ms,
            delays_all: false,
        };
        let short = requested(HELD_MS_MAX).delay(Vec::new());
        assert_eq!(short.times_ms(Some(9)), (Some(HELD_MS_MAX), Some(9)));
        assert_eq!(short.stay(), None);
        assert_eq!(short.header(Timestamp(5)), None);
        let long = requested(HELD_MS_MAX + 1).delay(Vec::new());
        let stay = next_stay(HELD_MS_MAX + 1).unwrap();
        assert_eq!(long.stay(), Some(stay));
        assert_eq!(long.times_ms(Some(9)), (None, stay.expiry_ms));
        let header = long.header(Timestamp(5)).unwrap();
        let text = String::from_utf8(header).unwrap();
        assert_eq!(text, r#"{"due-ms":60006,"delays-all":false}"#);
    }
}
