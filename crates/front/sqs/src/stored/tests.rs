use proptest::prelude::*;
use stele_base_types::Timestamp;
use stele_wire_batch::{BatchBuilder, Body, NewRecord, RecordHeader};

use super::*;

fn text(data_type: &str, value: &str) -> MessageAttribute {
    MessageAttribute {
        data_type: data_type.to_owned(),
        value: AttributeValue::Text(value.to_owned()),
    }
}

fn binary(data_type: &str, value: &[u8]) -> MessageAttribute {
    MessageAttribute {
        data_type: data_type.to_owned(),
        value: AttributeValue::Binary(Bytes::copy_from_slice(value)),
    }
}

fn record<'a>(
    key: Option<&[u8]>,
    value: Body<'_>,
    headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> Record {
    let headers: Vec<_> = headers
        .into_iter()
        .map(|(name, value)| RecordHeader {
            key: name.as_bytes(),
            value,
        })
        .collect();
    let new = NewRecord {
        timestamp: Timestamp(5),
        key,
        value,
        headers: &headers,
    };
    let batch = BatchBuilder::single(&new).unwrap();
    let mut records = batch.records(usize::MAX).unwrap();
    records.next().unwrap().unwrap()
}

fn stored(attributes: &[(String, MessageAttribute)], system: &SystemFields<'_>) -> Record {
    let headers = NewHeaders::new(attributes, system);
    let headers = headers.iter().map(|(name, value)| (name, Some(value)));
    record(Some(b"g1"), Body::Whole(b"hello"), headers)
}

#[test]
fn a_message_of_sqs_comes_back_whole() {
    let attributes = vec![
        ("Kind".to_owned(), text("String", "standard")),
        ("Price".to_owned(), text("Number.eur", "3.50")),
        ("Thumb".to_owned(), binary("Binary.png", b"\x89PNG")),
        ("Text".to_owned(), binary("Binary", b"readable")),
        ("Label".to_owned(), text("String.a=\"b\"", "x")),
    ];
    let system = SystemFields {
        deduplication_id: Some("d1"),
        trace: Some("Root=1"),
        sender: Some("AK1"),
    };
    let message = StoredMessage::of(&stored(&attributes, &system));
    assert_eq!(message.body, "hello");
    assert_eq!(message.attributes, attributes);
    assert_eq!(message.group_id.as_deref(), Some("g1"));
    assert_eq!(message.deduplication_id.as_deref(), Some("d1"));
    assert_eq!(message.trace.as_deref(), Some("Root=1"));
    assert_eq!(message.sender.as_deref(), Some("AK1"));
}

#[test]
fn attributes_are_headers_that_other_protocols_can_read() {
    let attributes = [("Kind".to_owned(), text("String", "standard"))];
    let record = stored(&attributes, &SystemFields::default());
    let headers: Vec<_> = record.headers.iter().collect();
    assert_eq!(headers, [RecordHeader::new("Kind", b"standard")]);
}

#[test]
fn headers_of_other_protocols_are_attributes_where_they_can_be() {
    let record = record(
        None,
        Body::Whole(b"order"),
        [
            ("content-type", Some(&b"application/json"[..])),
            ("raw", Some(b"\xFF\0")),
            ("twice", Some(b"first")),
            ("twice", Some(b"last")),
            ("null", None),
            ("empty", Some(b"")),
            ("with space", Some(b"x")),
            ("AWS.x", Some(b"x")),
            ("stele.amqp", Some(b"x")),
        ],
    );
    let message = StoredMessage::of(&record);
    assert_eq!(
        message.attributes,
        [
            (
                "content-type".to_owned(),
                text("String", "application/json")
            ),
            ("raw".to_owned(), binary("Binary", b"\xFF\0")),
            ("twice".to_owned(), text("String", "last")),
        ]
    );
    assert_eq!(message.group_id, None);
}

#[test]
fn of_many_headers_the_first_ten_are_shown() {
    let names: Vec<String> = (0..12).map(|number| format!("h{number}")).collect();
    let headers = names.iter().map(|name| (name.as_str(), Some(&b"x"[..])));
    let message = StoredMessage::of(&record(None, Body::Whole(b"\xFF"), headers));
    assert_eq!(message.attributes.len(), 10);
    assert_eq!(message.attributes[0].0, BODY_ENCODING);
    assert_eq!(message.attributes[9].0, "h8");
}

#[test]
fn a_body_that_is_no_text_is_shown_in_base64() {
    for body in [&b"\xFF\xFE"[..], b"a\0b", "\u{FFFF}".as_bytes()] {
        let message = StoredMessage::of(&record(None, Body::Whole(body), []));
        assert_eq!(BASE64.decode(&message.body).unwrap(), body);
        assert_eq!(
            message.attributes,
            [(BODY_ENCODING.to_owned(), text("String", "base64"))]
        );
    }
    let tombstone = StoredMessage::of(&record(Some(b"k"), Body::Null, []));
    assert_eq!(
        (tombstone.body.as_str(), tombstone.attributes.len()),
        ("", 0)
    );
}

#[test]
fn a_key_that_can_be_no_group_is_not_shown() {
    for key in [&b"\xFF"[..], b"", b"two words", &[b'x'; 129]] {
        let message = StoredMessage::of(&record(Some(key), Body::Whole(b"x"), []));
        assert_eq!(message.group_id, None);
    }
}

#[test]
fn reserved_names_are_refused_but_for_the_one_that_is_shown() {
    assert!(check_name("stele.sqs.types").is_err());
    assert!(check_name("stele.x").is_err());
    assert!(check_name(BODY_ENCODING).is_ok());
    assert!(check_name("steles").is_ok());
}

fn attribute() -> impl Strategy<Value = MessageAttribute> {
    let label = prop_oneof![Just(String::new()), "\\.[a-zA-Z\"\\\\=;]{0,8}"];
    prop_oneof![
        ("[ -~\u{E9}\u{1F600}]{1,20}", label.clone())
            .prop_map(|(value, label)| text(&format!("String{label}"), &value)),
        (any::<i64>(), label.clone())
            .prop_map(|(value, label)| text(&format!("Number{label}"), &value.to_string())),
        (proptest::collection::vec(any::<u8>(), 1..20), label)
            .prop_map(|(value, label)| binary(&format!("Binary{label}"), &value)),
    ]
}

proptest! {
    #[test]
    fn attributes_survive(
        attributes in proptest::collection::btree_map("[a-zA-Z0-9_-]{1,12}", attribute(), 0..=10)
    ) {
        let attributes: Vec<_> = attributes.into_iter().collect();
        let message = StoredMessage::of(&stored(&attributes, &SystemFields::default()));
        prop_assert_eq!(message.attributes, attributes);
    }

    #[test]
    fn any_record_is_shown(
        key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20)),
        value in proptest::collection::vec(any::<u8>(), 0..50),
        headers in proptest::collection::vec(
            ("(stele\\.sqs\\.(types|trace|sender)|[ -~]{0,9})", proptest::option::of("\\PC{0,9}")), 0..15),
    ) {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().map(str::as_bytes)));
        let message = StoredMessage::of(&record(key.as_deref(), Body::Whole(&value), headers));
        prop_assert!(message.attributes.len() <= 10);
        prop_assert!(is_message_text(&message.body));
    }
}
