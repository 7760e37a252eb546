use std::io::Cursor;

use amq_protocol::protocol::basic::{AMQPProperties, gen_properties};
use amq_protocol_types::{FieldTable, ShortString as TheirShortString};
use proptest::prelude::*;

use super::*;
use crate::{Table, Value};

/// Only property `index`, in the order of the flags.
fn single(index: usize) -> Properties {
    let text = Some(ShortOctets::from_static("v"));
    let mut properties = Properties::default();
    match index {
        0 => properties.content_type = text,
        1 => properties.content_encoding = text,
        2 => properties.headers = Some(EncodedTable::from(&Table::new().with("k", Value::Void))),
        3 => properties.delivery_mode = Some(2),
        4 => properties.priority = Some(9),
        5 => properties.correlation_id = text,
        6 => properties.reply_to = text,
        7 => properties.expiration = text,
        8 => properties.message_id = text,
        9 => properties.timestamp = Some(1),
        10 => properties.kind = text,
        11 => properties.user_id = text,
        12 => properties.app_id = text,
        _ => properties.cluster_id = text,
    }
    properties
}

#[test]
fn flags_go_from_the_highest_bit_down() {
    for index in 0..14 {
        let raw = single(index).encode();
        assert_eq!(raw.flags, 1 << (15 - index), "property {index}");
        assert_eq!(raw.parse(), Ok(single(index)));
    }
}

#[test]
fn another_implementation_writes_the_same_octets() {
    let theirs = AMQPProperties::default()
        .with_content_type(TheirShortString::from("text/plain"))
        .with_content_encoding(TheirShortString::from("gzip"))
        .with_headers(FieldTable::default())
        .with_delivery_mode(2)
        .with_priority(3)
        .with_correlation_id(TheirShortString::from("c"))
        .with_reply_to(TheirShortString::from("r"))
        .with_expiration(TheirShortString::from("60000"))
        .with_message_id(TheirShortString::from("m"))
        .with_timestamp(1_700_000_000)
        .with_type(TheirShortString::from("t"))
        .with_user_id(TheirShortString::from("guest"))
        .with_app_id(TheirShortString::from("a"))
        .with_cluster_id(TheirShortString::from("x"));
    let mut written = vec![0; 4096];
    let written = gen_properties(&theirs)(Cursor::new(&mut written[..]).into()).unwrap();
    let length = usize::try_from(written.position).unwrap();
    let octets = &written.write.into_inner()[..length];
    let ours = RawProperties {
        flags: u16::from_be_bytes([octets[0], octets[1]]),
        list: Bytes::copy_from_slice(&octets[2..]),
    };
    let properties = ours.parse().unwrap();
    assert_eq!(
        properties.expiration,
        Some(ShortOctets::from_static("60000"))
    );
    assert_eq!(properties.timestamp, Some(1_700_000_000));
    assert_eq!(properties.cluster_id, Some(ShortOctets::from_static("x")));
    assert_eq!(properties.encode(), ours);
}

#[test]
fn unknown_flags_are_refused() {
    for flags in [1, 2] {
        let raw = RawProperties {
            flags,
            list: Bytes::new(),
        };
        assert_eq!(raw.parse(), Err(ReadError::PropertyFlags(flags)));
    }
}

#[test]
fn a_list_longer_than_its_flags_is_refused() {
    let raw = RawProperties {
        flags: 1 << 12,
        list: Bytes::from_static(b"\x02\x02"),
    };
    assert_eq!(raw.parse(), Err(ReadError::Trailing(1)));
}

proptest! {
    #[test]
    fn no_property_list_panics(
        flags in any::<u16>(),
        list in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let raw = RawProperties { flags, list: Bytes::from(list) };
        if let Ok(properties) = raw.parse() {
            prop_assert_eq!(properties.encode(), raw);
        }
    }
}
