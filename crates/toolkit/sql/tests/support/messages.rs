//! Messages for tests.

use bytes::Bytes;
use stele_toolkit_bus::{
    Claim, Destination, FailureClass, Headers, Incoming, KeyOrder, Outgoing, Story,
};
use stele_toolkit_envelope::Timestamp;

/// The claim of a message that was sent now, by the handler `h` of the service `s`.
pub(crate) fn claim<'a>(message_id: &'a str, key: &'a str, now: Timestamp) -> Claim<'a> {
    Claim {
        service: "s",
        handler: "s.h",
        message_id,
        timestamp: now,
        key,
        order: KeyOrder::Strict,
        is_parked: false,
        now,
    }
}

/// A message to the topic `events` with its id as the body.
pub(crate) fn event(message_id: &str, key: &str) -> Outgoing {
    let to = Destination::Topic("events".to_owned());
    Outgoing::json(to, message_id, message_id.to_owned()).with_key(key)
}

pub(crate) fn incoming(message_id: &str, key: &str) -> Incoming {
    Incoming {
        to: Destination::Topic("events".to_owned()),
        key: key.to_owned(),
        message_id: Some(message_id.to_owned()),
        content_type: Some("application/json".to_owned()),
        headers: Headers::from_iter([("raw", Bytes::from_static(&[0xff]))]),
        body: Bytes::from(vec![b'{', 0xfe, 0]),
        sent_at: Timestamp::from_micros(7),
    }
}

pub(crate) fn story(attempts: u32, now: Timestamp) -> Story {
    Story {
        reason: "error".to_owned(),
        class: FailureClass::Error,
        error: "the shelf is empty".to_owned(),
        error_type: "shop::Empty".to_owned(),
        attempts,
        first_failed_at: now,
        last_failed_at: now,
    }
}
