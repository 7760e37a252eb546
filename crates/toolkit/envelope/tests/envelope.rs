//! The envelope as programs use it: made, sent, passed on and opened.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stele_toolkit_envelope::{
    Context, DecodeError, Envelope, Key, Message, RawJson, SeededIds, Timestamp, Trace,
    TraceParent, TraceState, UpcastError, Version,
};

const LIMIT: usize = 64 * 1024;

/// The envelope of the order system, with an item.
const ORDER: &str = concat!(
    r#"{"messageId":"msg-uuid-12345","type":"OrderCreated","version":"1.0","#,
    r#""timestamp":"2024-01-15T10:30:00Z","source":"order-service","#,
    r#""correlationId":"req-uuid-67890","data":{"orderId":"order-123","#,
    r#""customerId":"cust-456","items":[{"sku":"pen","quantity":3}],"total":99.99},"#,
    r#""metadata":{"traceId":"trace-abc","userId":"user-789"}}"#,
);

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.2", topic = "order.created", key = order_id, alias = "OrderPlaced")]
#[message(upcast(from = "1.0", with = total_in_cents), upcast(from = "1.1", with = add_currency))]
struct OrderCreated {
    order_id: String,
    total_cents: i64,
    currency: String,
}

fn total_in_cents(mut data: Value) -> Result<Value, UpcastError> {
    let total = data["total"].as_f64().ok_or("no total")?;
    data["totalCents"] = json!((total * 100.0).round() as i64);
    Ok(data)
}

fn add_currency(mut data: Value) -> Result<Value, UpcastError> {
    data["currency"] = json!("EUR");
    Ok(data)
}

#[derive(Serialize, Deserialize, Message)]
#[message(
    type = "PaymentProcessed",
    version = "2.0",
    topic = "payment.processed"
)]
struct Payment {
    amount_cents: i64,
}

fn order() -> OrderCreated {
    OrderCreated {
        order_id: "order-123".to_owned(),
        total_cents: 9999,
        currency: "CHF".to_owned(),
    }
}

fn context(source: &str) -> Context {
    let now = "2024-01-15T10:30:00.5Z".parse().expect("a time");
    Context::new(source).with_ids(Arc::new(SeededIds::new(1, now)))
}

fn decode(json: &str) -> Result<Envelope, DecodeError> {
    Envelope::decode(json.as_bytes(), LIMIT)
}

/// The order with a text in it replaced.
fn with(old: &str, new: &str) -> String {
    assert!(ORDER.contains(old), "{old}");
    ORDER.replacen(old, new, 1)
}

#[track_caller]
fn passes(json: &str) {
    let passed = decode(json).expect("an envelope").encode();
    assert_eq!(String::from_utf8(passed).expect("text"), json);
}

#[test]
fn an_envelope_is_passed_on_byte_for_byte() {
    passes(ORDER);
    passes(&with("99.99", "99.990000000000000000000000000001"));
    passes(&with("99.99", "123456789012345678901234567890"));
    passes(&with(r#""total":99.99"#, "\"total\" :\t[ 1e400, -0.0 ] "));
    passes(&with(r#"{"orderId""#, r#"{"new":{"a":null},"orderId""#));
}

#[test]
fn unknown_fields_are_kept_behind_the_known_ones() {
    passes(&with(
        r#""user-789"}"#,
        r#""user-789","tenantId":7,"x":[1, 2]},"priority":1e2"#,
    ));
    let early = with(r#"{"messageId""#, r#"{"priority":3,"messageId""#);
    let passed = decode(&early).expect("an envelope").encode();
    assert!(passed.ends_with(br#""userId":"user-789"},"priority":3}"#));
}

#[test]
fn optional_metadata_is_read_and_written() {
    let metadata = format!(
        r#""metadata":{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","userId":"u","causationId":"c","traceparent":"{PARENT}","tracestate":"a=1,b=2","sequence":18446744073709551615,"replyTo":"replies"}}"#
    );
    let json = with(
        r#""metadata":{"traceId":"trace-abc","userId":"user-789"}"#,
        &metadata,
    );
    passes(&json);
    let metadata = decode(&json).expect("an envelope").metadata;
    assert_eq!(metadata.sequence, Some(u64::MAX));
    assert_eq!(
        metadata.trace,
        Trace::of(None, Some(PARENT), Some("a=1,b=2"))
    );
}

#[test]
fn the_trace_id_is_that_of_a_valid_traceparent() {
    let other = with(
        r#""trace-abc""#,
        &format!(r#""x","traceparent":"{PARENT}""#),
    );
    let trace = decode(&other).expect("an envelope").metadata.trace;
    let id = trace.id().expect("a trace").to_string();
    assert_eq!(id, "4bf92f3577b34da6a3ce929d0e0e4736");
    let invalid = with(
        r#""trace-abc""#,
        r#""trace-abc","traceparent":"00-1","tracestate":"a=1""#,
    );
    let trace = decode(&invalid).expect("an envelope").metadata.trace;
    assert_eq!(trace, Trace::Text("trace-abc".to_owned()));
}

#[test]
fn metadata_may_be_missing() {
    let bare = with(
        r#","metadata":{"traceId":"trace-abc","userId":"user-789"}"#,
        "",
    );
    let passed = decode(&bare).expect("an envelope").encode();
    assert!(passed.ends_with(br#","metadata":{}}"#));
}

#[track_caller]
fn refused(json: &str, reason: &str, words: &str) {
    let error = decode(json).expect_err("no envelope");
    assert_eq!(
        (error.reason(), error.to_string().as_str()),
        (reason, words)
    );
}

#[test]
fn what_is_wrong_is_said_with_its_field() {
    for (field, value) in [
        ("messageId", r#""msg-uuid-12345""#),
        ("type", r#""OrderCreated""#),
        ("version", r#""1.0""#),
        ("timestamp", r#""2024-01-15T10:30:00Z""#),
        ("source", r#""order-service""#),
        ("correlationId", r#""req-uuid-67890""#),
    ] {
        let whole = format!(r#""{field}":{value},"#);
        refused(
            &with(&whole, ""),
            "missing_field",
            &format!("missing field `{field}`"),
        );
        let null = with(&whole, &format!(r#""{field}":null,"#));
        refused(&null, "missing_field", &format!("missing field `{field}`"));
        let words = format!("field `{field}` is there twice");
        refused(&with(&whole, &whole.repeat(2)), "repeated_field", &words);
        let words = format!("field `{field}`: invalid type: integer `5`, expected a string");
        refused(&with(value, "5"), "invalid_field", &words);
    }
    let version = "field `version`: \"1\" isn't a version as \"1.0\"";
    refused(&with(r#""1.0""#, r#""1""#), "invalid_field", version);
    let time = "field `timestamp`: \"now\" isn't a time as in RFC 3339, for example \
                2024-01-15T10:30:00Z";
    refused(&with("2024-01-15T10:30:00Z", "now"), "invalid_field", time);
    refused(
        &with("msg-uuid-12345", ""),
        "invalid_field",
        "field `messageId`: empty",
    );
    let long = "field `source`: 256 bytes, more than 255";
    refused(
        &with("order-service", &"x".repeat(256)),
        "invalid_field",
        long,
    );
    let user = "field `metadata.userId`: invalid type: boolean `true`, expected a string";
    refused(&with(r#""user-789""#, "true"), "invalid_field", user);
    let metadata = "field `metadata`: not an object";
    let text = with(r#"{"traceId":"trace-abc","userId":"user-789"}"#, "[]");
    refused(&text, "invalid_field", metadata);
}

#[test]
fn what_is_no_json_object_is_refused() {
    refused(
        "",
        "not_json",
        "not JSON: EOF while parsing a value at line 1 column 0",
    );
    refused("[]", "not_an_object", "JSON, but not an object");
    let cut = decode(&ORDER[..100]).expect_err("no envelope");
    assert_eq!(cut.reason(), "not_json");
    let behind = decode(&format!("{ORDER}{ORDER}")).expect_err("no envelope");
    assert_eq!(behind.reason(), "not_json");
    let binary = Envelope::decode(b"{\"a\":\"\xff\"}", LIMIT).expect_err("no envelope");
    assert_eq!(binary.to_string(), "the body isn't UTF-8 from byte 6 on");
    let large = Envelope::decode(ORDER.as_bytes(), ORDER.len() - 1).expect_err("no envelope");
    assert_eq!(large.reason(), "too_large");
    assert!(Envelope::decode(ORDER.as_bytes(), ORDER.len()).is_ok());
}

#[test]
fn deep_data_pass_and_are_not_opened() {
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let json = with(r#""order-123""#, &deep).replace(r#""1.0""#, r#""1.2""#);
    passes(&json);
    let error = decode(&json).expect("an envelope").open::<OrderCreated>();
    assert_eq!(error.expect_err("too deep").reason(), "invalid_data");
}

#[test]
fn a_new_message_has_the_contexts_time_and_ids() {
    let context = context("order-service").with_user_id("user-789");
    let envelope = Envelope::of(&order(), &context).expect("JSON");
    assert_eq!(envelope.message_type, "OrderCreated");
    assert_eq!(envelope.version, Version::new(1, 2));
    assert_eq!(envelope.timestamp, context.ids.now());
    assert_eq!(envelope.correlation_id, envelope.message_id);
    assert!(
        envelope.message_id.starts_with("018d0cab-c634-7"),
        "{}",
        envelope.message_id
    );
    assert_eq!(
        decode(&String::from_utf8(envelope.encode()).expect("text")),
        Ok(envelope.clone())
    );
    assert_eq!(envelope.open::<OrderCreated>(), Ok(order()));
    assert_eq!(order().key(), Key::from("order-123"));
    assert_eq!(Payment { amount_cents: 1 }.key(), Key::none());
}

#[test]
fn a_message_that_json_cannot_hold_is_an_error() {
    #[derive(Serialize, Deserialize, Message)]
    #[message(version = "1.0", topic = "t")]
    struct Pairs(std::collections::BTreeMap<(u8, u8), u8>);
    let pairs = Pairs([((1, 2), 3)].into());
    let error = Envelope::of(&pairs, &context("s")).expect_err("no JSON");
    assert_eq!(
        error.to_string(),
        "Pairs can't be written as JSON: key must be a string"
    );
}

#[test]
fn a_message_that_follows_keeps_what_it_belongs_to() {
    let trace = Trace::of(None, Some(PARENT), Some("vendor=1"));
    let start = context("order-service")
        .with_correlation_id("req-1")
        .with_user_id("user-789")
        .with_trace(trace)
        .with_metadata("tenantId", "acme")
        .with_metadata("attempt", json!(2));
    let first = Envelope::of(&order(), &start).expect("JSON");
    let payment = context("payment-service");
    let next = first
        .caused(&Payment { amount_cents: 9999 }, &payment)
        .expect("JSON");
    assert_eq!(next.source, "payment-service");
    assert_eq!(next.correlation_id, "req-1");
    assert_eq!(next.metadata.causation_id, Some(first.message_id.clone()));
    assert_eq!(next.metadata.user_id.as_deref(), Some("user-789"));
    assert_eq!(
        next.metadata.unknown.value("tenantId"),
        Some(&RawJson::from("acme"))
    );
    assert_eq!(next.metadata.unknown.value("attempt"), None);
    let Trace::Context { parent, state } = next.metadata.trace else {
        panic!("the trace goes on");
    };
    let before = TraceParent::parse(PARENT).expect("valid");
    assert_eq!(parent.trace_id, before.trace_id);
    assert_ne!(parent.parent_id, before.parent_id);
    assert_eq!(state, TraceState::parse("vendor=1"));
}

#[test]
fn older_versions_go_through_all_later_upcasts() {
    let old = decode(ORDER).expect("an envelope");
    let read = old.open::<OrderCreated>().expect("an order");
    assert_eq!((read.total_cents, read.currency.as_str()), (9999, "EUR"));
    let data = r#"{"orderId":"order-123","totalCents":1,"total":5}"#;
    let envelope = Envelope {
        version: Version::new(1, 1),
        data: RawJson::parse(data).expect("JSON"),
        ..old
    };
    assert_eq!(
        envelope
            .open::<OrderCreated>()
            .expect("an order")
            .total_cents,
        1
    );
}

#[test]
fn newer_minor_versions_are_read_and_newer_major_ones_refused() {
    let mut envelope = Envelope::of(&order(), &context("s")).expect("JSON");
    envelope.version = Version::new(1, 7);
    assert_eq!(envelope.open::<OrderCreated>(), Ok(order()));
    envelope.version = Version::new(2, 0);
    let error = envelope.open::<OrderCreated>().expect_err("newer");
    assert_eq!(error.reason(), "unknown_version");
    let words = "OrderCreated 2.0 can't be read as OrderCreated 1.2: a newer major version";
    assert_eq!(error.to_string(), words);
}

#[test]
fn what_cannot_be_opened_has_a_reason() {
    let reason = |envelope: &Envelope| {
        envelope
            .open::<OrderCreated>()
            .expect_err("no order")
            .reason()
    };
    let mut envelope = decode(ORDER).expect("an envelope");
    envelope.version = Version::new(0, 9);
    assert_eq!(reason(&envelope), "unknown_version");
    envelope.version = Version::new(1, 0);
    envelope.data = RawJson::null();
    assert_eq!(reason(&envelope), "upcast_failed");
    envelope.version = Version::new(1, 2);
    assert_eq!(reason(&envelope), "invalid_data");
    envelope.message_type = "PaymentProcessed".to_owned();
    assert_eq!(reason(&envelope), "wrong_type");
}

#[test]
fn an_alias_is_read_and_never_written() {
    let mut envelope = Envelope::of(&order(), &context("s")).expect("JSON");
    envelope.message_type = "OrderPlaced".to_owned();
    assert!(envelope.is::<OrderCreated>());
    assert_eq!(envelope.open::<OrderCreated>(), Ok(order()));
    assert!(!envelope.is::<Payment>());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Envelope::decode(&bytes, LIMIT);
    }

    #[test]
    fn no_damage_panics(at in 0..ORDER.len(), byte in any::<u8>(), length in 0..ORDER.len()) {
        let mut bytes = ORDER.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = Envelope::decode(&bytes, LIMIT);
        bytes.truncate(length);
        prop_assert!(Envelope::decode(&bytes, LIMIT).is_err());
    }

    #[test]
    fn texts_and_times_survive(
        id in "\\PC{1,50}",
        user in proptest::option::of(".*"),
        micros in 0..4_000_000_000_000_000_i64,
    ) {
        let context = context(&id).with_correlation_id(id.clone());
        let mut envelope = Envelope::of(&order(), &context).expect("JSON");
        envelope.timestamp = Timestamp::from_micros(micros) + Duration::ZERO;
        envelope.metadata.user_id = user;
        prop_assert_eq!(Envelope::decode(&envelope.encode(), LIMIT), Ok(envelope));
    }
}
