use bytes::Bytes;
use proptest::prelude::*;
use stele_base_types::Timestamp;
use stele_wire_amqp::{ContentHeader, method::basic};
use stele_wire_amqp::{EncodedTable, Properties, RawProperties, ShortOctets, Table, Value};
use stele_wire_batch::{BatchBuilder, Body, NewRecord, Record, RecordHeader};

use super::*;
use crate::session::content::{Assembly, Content};

fn content(properties: RawProperties, body: &'static [u8]) -> Content {
    let mut assembly = Assembly::Header(basic::Publish {
        exchange: ShortOctets::from_static("x"),
        routing_key: ShortOctets::from_static("a.b"),
        ..basic::Publish::default()
    });
    let header = ContentHeader {
        class_id: 60,
        body_size: body.len() as u64,
        properties,
    };
    match assembly.header(header, 1000).unwrap() {
        Some(content) => content,
        None => assembly.body(Bytes::from_static(body)).unwrap().unwrap(),
    }
}

fn stored(properties: RawProperties, body: &'static [u8]) -> Record {
    let message = Message::read(content(properties, body)).unwrap();
    let mut builder = BatchBuilder::new();
    message
        .push(&mut builder, Timestamp(1_700_000_000_123))
        .unwrap();
    only_record(builder)
}

fn only_record(builder: BatchBuilder) -> Record {
    let mut records = builder.finish().records(1 << 20).unwrap();
    records.next().unwrap().unwrap()
}

fn foreign(key: Option<&[u8]>, value: Body<'_>, headers: &[(&str, Option<&[u8]>)]) -> Record {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| RecordHeader {
            key: name.as_bytes(),
            value: *value,
        })
        .collect();
    let mut builder = BatchBuilder::new();
    let record = NewRecord {
        timestamp: Timestamp(1_700_000_000_999),
        key,
        value,
        headers: &headers,
    };
    builder.push(&record).unwrap();
    only_record(builder)
}

fn header(record: &Record, name: &str) -> Option<String> {
    let value = record.headers.last(name)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

fn text(text: &'static str) -> Option<ShortOctets> {
    Some(ShortOctets::from_static(text))
}

#[test]
fn a_message_comes_back_as_it_was_published() {
    let properties = Properties {
        content_type: text("text/plain"),
        headers: Some(EncodedTable::from(&Table::new().with(
            "nested",
            Value::Array(vec![Value::Decimal {
                scale: 1,
                unscaled: 2,
            }]),
        ))),
        priority: Some(3),
        cluster_id: text("c"),
        ..Properties::default()
    }
    .encode();
    let arrival = arrival(&stored(properties.clone(), b"body"), "q");
    assert_eq!(arrival.exchange.as_text(), Some("x"));
    assert_eq!(arrival.routing_key.as_text(), Some("a.b"));
    assert_eq!(arrival.properties, properties);
    assert_eq!(&arrival.body[..], b"body");
}

/// As in RabbitMQ.
#[test]
fn strings_that_are_not_utf8_come_back_and_other_protocols_see_what_they_can() {
    let octets =
        |octets: &'static [u8]| ShortOctets::from_bytes(Bytes::from_static(octets)).unwrap();
    let mut headers = Table::new().with("plain", Value::text("v"));
    headers.push(octets(b"name\xff"), Value::Int32(1));
    let properties = Properties {
        correlation_id: Some(octets(b"\x00\xfe")),
        headers: Some(EncodedTable::from(&headers)),
        ..Properties::default()
    }
    .encode();
    let record = stored(properties.clone(), b"");
    assert_eq!(
        record.headers.last("correlation-id"),
        Some(&b"\x00\xfe"[..])
    );
    assert_eq!(header(&record, "plain").as_deref(), Some("v"));
    let names = record
        .headers
        .iter()
        .map(|header| std::str::from_utf8(header.key).is_ok());
    assert_eq!(names.collect::<Vec<_>>(), [true; 3]);
    assert_eq!(arrival(&record, "q").properties, properties);
}

#[test]
fn other_protocols_read_properties_and_headers_as_text() {
    let headers = Table::new()
        .with("tenant", Value::text("acme"))
        .with("attempt", Value::Int32(-2))
        .with("dry", Value::Bool(true))
        .with("list", Value::Array(Vec::new()))
        .with("stele.amqp", Value::text("forged"));
    let properties = Properties {
        content_type: text("application/json"),
        correlation_id: text("c-1"),
        headers: Some(EncodedTable::from(&headers)),
        ..Properties::default()
    };
    let record = stored(properties.encode(), b"{}");
    assert_eq!(
        header(&record, "content-type").as_deref(),
        Some("application/json")
    );
    assert_eq!(header(&record, "correlation-id").as_deref(), Some("c-1"));
    assert_eq!(header(&record, "tenant").as_deref(), Some("acme"));
    assert_eq!(header(&record, "attempt").as_deref(), Some("-2"));
    assert_eq!(header(&record, "dry").as_deref(), Some("true"));
    assert_eq!(header(&record, "list"), None);
    assert_eq!(
        header(&record, "stele.sqs.types").as_deref(),
        Some(r#"{"attempt":"Number"}"#)
    );
    assert_eq!(record.headers.len(), 7);
    assert_eq!(record.key, None);
    assert_eq!(arrival(&record, "q").properties, properties.encode());
}

#[test]
fn the_header_of_the_key_is_the_key_of_the_record() {
    for (value, key) in [
        (Value::text("k1"), &b"k1"[..]),
        (Value::ByteArray(Bytes::from_static(b"\xff")), b"\xff"),
    ] {
        let headers = Table::new().with("stele.key", value);
        let properties = Properties {
            headers: Some(EncodedTable::from(&headers)),
            ..Properties::default()
        };
        let record = stored(properties.encode(), b"body");
        assert_eq!(record.key.as_deref(), Some(key));
        assert_eq!(record.headers.len(), 1);
        assert_eq!(arrival(&record, "q").properties, properties.encode());
    }
}

#[test]
fn of_two_headers_of_one_name_the_last_has_the_type() {
    let headers = Table::new()
        .with("a", Value::Int32(1))
        .with("a", Value::text("x"))
        .with("b", Value::text("x"))
        .with("b", Value::Int32(1))
        .with("not \"allowed\"", Value::Int32(1));
    let properties = Properties {
        headers: Some(EncodedTable::from(&headers)),
        ..Properties::default()
    };
    let record = stored(properties.encode(), b"");
    let types = header(&record, "stele.sqs.types");
    assert_eq!(types.as_deref(), Some(r#"{"b":"Number"}"#));
}

#[test]
fn a_kafka_record_has_its_headers_key_and_time() {
    let record = foreign(
        Some(b"k1"),
        Body::Whole(b"v"),
        &[
            ("content-type", Some(b"application/json")),
            ("trace", Some(b"t-1")),
            ("raw", Some(b"\xff\x00")),
            ("nothing", None),
            ("stele.other", Some(b"hidden")),
        ],
    );
    let arrival = arrival(&record, "orders");
    assert_eq!(
        (arrival.exchange.as_text(), arrival.routing_key.as_text()),
        (Some(""), Some("orders"))
    );
    assert_eq!(&arrival.body[..], b"v");
    let properties = arrival.properties.parse().unwrap();
    assert_eq!(properties.content_type, text("application/json"));
    assert_eq!(properties.delivery_mode, Some(2));
    assert_eq!(properties.timestamp, Some(1_700_000_000));
    let expected = Table::new()
        .with("stele.key", Value::text("k1"))
        .with("trace", Value::text("t-1"))
        .with("raw", Value::ByteArray(Bytes::from_static(b"\xff\x00")))
        .with("nothing", Value::Void);
    assert_eq!(properties.headers.unwrap().decode(), Ok(expected));
}

#[test]
fn a_tombstone_is_an_empty_message() {
    let arrival = arrival(&foreign(None, Body::Null, &[]), "q");
    assert!(arrival.body.is_empty());
    assert_eq!(arrival.properties.parse().unwrap().headers, None);
}

#[test]
fn a_forged_own_header_is_not_believed() {
    for own in [
        &b""[..],
        b"\x02\x00\x00\x00\x00",
        b"\x01\x00\x00\xff\xff",
        b"\x01\x05ab",
    ] {
        let record = foreign(None, Body::Whole(b"v"), &[("stele.amqp", Some(own))]);
        assert_eq!(arrival(&record, "q").routing_key.as_text(), Some("q"));
    }
}

#[test]
fn expiration_counts_from_publishing() {
    let properties = Properties {
        expiration: text("1500"),
        ..Properties::default()
    };
    let at = expires_at(&properties.encode(), Timestamp(1000));
    assert_eq!(at, Some(Timestamp(2500)));
    assert_eq!(expires_at(&RawProperties::default(), Timestamp(1000)), None);
}

proptest! {
    #[test]
    fn no_record_of_another_protocol_panics(
        own in prop::collection::vec(any::<u8>(), 0..40),
        name in prop::collection::vec(any::<u8>(), 0..300),
        value in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
    ) {
        let name = String::from_utf8_lossy(&name).into_owned();
        let headers = [
            (name.as_str(), value.as_deref()),
            ("stele.amqp", Some(&own[..])),
        ];
        let arrival = arrival(&foreign(None, Body::Null, &headers), "q");
        prop_assert!(arrival.properties.parse().is_ok());
    }
}
