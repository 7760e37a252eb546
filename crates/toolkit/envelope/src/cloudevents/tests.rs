//! The examples of the specification, and the way there and back.

use cloudevents::AttributesReader as _;
use proptest::prelude::*;

use crate::{
    Binding, DecodeError, Decoded, Envelope, Fields, Form, Key, Metadata, RawJson, Reading,
    Timestamp, Trace, TraceParent, TraceState, Version, WireMessage, WireView,
};

const FORMS: [Form; 4] = [
    Form::Plain,
    Form::Structured,
    Form::Binary(Binding::Kafka),
    Form::Binary(Binding::Amqp),
];

/// The example of the JSON format, section 3.2.
const STRUCTURED: &str = r#"{
    "specversion" : "1.0",
    "type" : "com.example.someevent",
    "source" : "/mycontext",
    "subject": null,
    "id" : "C234-1234-1234",
    "time" : "2018-04-05T17:31:00Z",
    "comexampleextension1" : "value",
    "comexampleothervalue" : 5,
    "datacontenttype" : "application/json",
    "data" : { "appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true }
}"#;

/// The example of the Kafka binding, section 3.2.5, with data in JSON.
const BINARY: [(&str, &[u8]); 7] = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"com.example.someevent"),
    ("ce_source", b"/mycontext/subcontext"),
    ("ce_id", b"1234-1234-1234"),
    ("ce_time", b"2018-04-05T03:56:24Z"),
    ("content-type", b"application/json"),
    ("other", b"\xff"),
];

fn reading() -> Reading {
    Reading {
        size_bytes_max: 64 * 1024,
        received_at: Timestamp::from_millis(1_000),
    }
}

fn decode(
    headers: &[(&str, &[u8])],
    content_type: Option<&str>,
    body: &str,
) -> Result<Decoded, DecodeError> {
    let view = WireView {
        headers: headers.to_vec(),
        content_type,
        body: body.as_bytes(),
    };
    view.decode(&reading())
}

fn envelope() -> Envelope {
    let json = r#"{"messageId":"m-1","type":"OrderCreated","version":"1.1",
        "timestamp":"2024-01-15T10:30:00Z","source":"order-service","correlationId":"c-1",
        "data":{"total":99.990},"metadata":{"traceId":"trace-abc","userId":"u",
        "sequence":12,"tenantId":"acme","region":"eu","retries":3},"priority":[1]}"#;
    Envelope::decode(json.as_bytes(), 1024).expect("an envelope")
}

#[track_caller]
fn header<'a>(message: &'a WireMessage, name: &str) -> Option<&'a str> {
    let (_, value) = message.headers.iter().find(|(known, _)| known == name)?;
    Some(std::str::from_utf8(value).expect("text"))
}

#[test]
fn the_specifications_structured_example_is_read() {
    let decoded = decode(
        &[],
        Some("application/cloudevents+json; charset=UTF-8"),
        STRUCTURED,
    );
    let Decoded {
        envelope,
        key,
        form,
    } = decoded.expect("an event");
    assert_eq!((form, key), (Form::Structured, Key::none()));
    assert_eq!(envelope.message_id, "C234-1234-1234");
    assert_eq!(envelope.message_type, "com.example.someevent");
    assert_eq!(envelope.source, "/mycontext");
    assert_eq!(envelope.timestamp.to_string(), "2018-04-05T17:31:00Z");
    assert_eq!(envelope.version, Version::new(1, 0));
    assert_eq!(envelope.correlation_id, "C234-1234-1234");
    let data = r#"{ "appinfoA" : "abc", "appinfoB" : 123, "appinfoC" : true }"#;
    assert_eq!(envelope.data.as_str(), data);
    let extensions = [
        ("comexampleextension1", RawJson::from("value")),
        ("comexampleothervalue", RawJson::parse("5").expect("JSON")),
    ];
    assert_eq!(envelope.metadata.unknown, extensions.into_iter().collect());
}

#[test]
fn the_specifications_binary_example_is_read() {
    let decoded = decode(&BINARY, None, r#"{"a":1}"#).expect("an event");
    assert_eq!(decoded.form, Form::Binary(Binding::Kafka));
    assert_eq!(decoded.envelope.message_id, "1234-1234-1234");
    assert_eq!(decoded.envelope.source, "/mycontext/subcontext");
    assert_eq!(
        decoded.envelope.timestamp.to_string(),
        "2018-04-05T03:56:24Z"
    );
    assert_eq!(decoded.envelope.data.as_str(), r#"{"a":1}"#);
    assert!(decoded.envelope.metadata.unknown.is_empty());
}

#[test]
fn amqp_properties_are_read_with_colon_and_underscore() {
    for prefix in ["cloudEvents:", "cloudEvents_"] {
        let headers: Vec<(String, &[u8])> = BINARY[..5]
            .iter()
            .map(|(name, value)| (name.replace("ce_", prefix), *value))
            .collect();
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (&**name, *value))
            .collect();
        let decoded = decode(&headers, Some("application/json"), "null").expect("an event");
        assert_eq!(decoded.form, Form::Binary(Binding::Amqp));
        assert_eq!(decoded.envelope.message_id, "1234-1234-1234");
    }
}

#[test]
fn headers_are_named_as_the_bindings_say() {
    let (envelope, key) = (envelope(), Key::from("order-123"));
    let kafka = envelope.to_wire(&key, Form::Binary(Binding::Kafka));
    assert_eq!(
        (&*kafka.content_type, &*kafka.body),
        ("application/json", &br#"{"total":99.990}"#[..])
    );
    let expected = [
        ("ce_specversion", "1.0"),
        ("ce_id", "m-1"),
        ("ce_source", "order-service"),
        ("ce_type", "OrderCreated"),
        ("ce_time", "2024-01-15T10:30:00Z"),
        ("ce_subject", "order-123"),
        ("ce_eventversion", "1.1"),
        ("ce_correlationid", "c-1"),
        ("ce_userid", "u"),
        ("ce_traceid", "trace-abc"),
        ("ce_sequence", "00000000000000000012"),
        ("ce_partitionkey", "order-123"),
        ("ce_region", "eu"),
        ("ce_envelopemeta", r#"{"tenantId":"acme","retries":3}"#),
        ("ce_envelopefields", r#"{"priority":[1]}"#),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    assert_eq!(kafka.headers, expected);
    let amqp = envelope.to_wire(&key, Form::Binary(Binding::Amqp));
    assert_eq!(header(&amqp, "cloudEvents:id"), Some("m-1"));
    assert_eq!(amqp.headers.len(), kafka.headers.len());
}

#[test]
fn the_form_is_found_without_a_content_type() {
    for form in FORMS {
        let message = envelope().to_wire(&Key::none(), form);
        let untold = WireView {
            content_type: None,
            ..message.view()
        };
        let decoded = untold.decode(&reading()).expect("an envelope");
        assert_eq!(
            (decoded.form, decoded.envelope.message_id.as_str()),
            (form, "m-1")
        );
    }
    let attribute: [(&str, &[u8]); 1] = [("contenttype", b"application/cloudevents+json")];
    let decoded = decode(&attribute, None, STRUCTURED).expect("an event");
    assert_eq!(decoded.form, Form::Structured);
}

#[test]
fn an_event_that_says_little_is_completed() {
    let body = r#"{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"blob-7"}"#;
    let Decoded { envelope, key, .. } = decode(&[], None, body).expect("an event");
    assert_eq!(envelope.timestamp, Timestamp::from_millis(1_000));
    assert_eq!(
        (envelope.correlation_id.as_str(), envelope.data.as_str()),
        ("1", "null")
    );
    assert_eq!(key, Key::from("blob-7"));
    let empty = decode(&BINARY, None, "").expect("an event");
    assert_eq!(empty.envelope.data, RawJson::null());
}

#[test]
fn what_others_say_in_attributes_of_ours_is_kept() {
    let body = r#"{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"other",
        "partitionkey":"k","sequence":"a-7","datacontenttype":"application/vnd.order+json",
        "dataschema":"https://example.com/order","data":{}}"#;
    let first = decode(&[], None, body).expect("an event");
    assert_eq!(first.key, Key::from("k"));
    assert_eq!(first.envelope.metadata.sequence, None);
    for form in [Form::Structured, Form::Binary(Binding::Kafka)] {
        let message = first.envelope.to_wire(&first.key, form);
        let again = message.view().decode(&reading()).expect("an event");
        assert_eq!(sorted(again.envelope), sorted(first.envelope.clone()));
    }
    let kafka = first
        .envelope
        .to_wire(&first.key, Form::Binary(Binding::Kafka));
    assert_eq!(kafka.content_type, "application/vnd.order+json");
    assert_eq!(header(&kafka, "ce_subject"), Some("other"));
    assert_eq!(header(&kafka, "ce_sequence"), Some("a-7"));
    assert_eq!(
        header(&kafka, "ce_dataschema"),
        Some("https://example.com/order")
    );
}

#[test]
fn fields_that_repeat_an_attribute_are_kept() {
    let mut first = envelope();
    let key = Key::from("k");
    for (name, value) in [("subject", "k"), ("datacontenttype", "application/json")] {
        first.metadata.unknown.set(name, value);
    }
    for form in FORMS {
        let again = first.to_wire(&key, form).view().decode(&reading());
        let again = again.expect("an envelope").envelope;
        assert_eq!(sorted(again), sorted(first.clone()), "{form:?}");
    }
}

#[track_caller]
fn refused(result: Result<Decoded, DecodeError>, reason: &str, words: &str) {
    let error = result.expect_err("no envelope");
    assert_eq!((error.reason(), &*error.to_string()), (reason, words));
}

#[test]
fn events_that_are_not_read_have_a_reason() {
    let event = |from: &str, to: &str| decode(&[], None, &STRUCTURED.replace(from, to));
    let unread = "a CloudEvent that isn't read here: ";
    for (from, to, what) in [
        ("\"1.0\"", "\"0.3\"", "specversion 0.3"),
        ("application/json", "text/plain", "data of type text/plain"),
        (
            "\"data\" : {",
            "\"data_base64\": \"AA==\", \"data\": {",
            "data_base64",
        ),
    ] {
        refused(
            event(from, to),
            "unsupported_event",
            &format!("{unread}{what}"),
        );
    }
    let batch = "application/cloudevents-batch+json";
    refused(
        decode(&[], Some(batch), "[]"),
        "unsupported_event",
        &format!("{unread}{batch}"),
    );
    refused(
        event("\"id\"", "\"eid\""),
        "missing_field",
        "missing field `id`",
    );
    refused(
        event("\"/mycontext\"", "7"),
        "invalid_field",
        "field `source`: not a string",
    );
    refused(
        event("\"subject\"", "\"id\":\"2\",\"x\""),
        "repeated_field",
        "field `id` is there twice",
    );
    let time = "field `time`: \"2018\" isn't a time as in RFC 3339, for example \
                2024-01-15T10:30:00Z";
    refused(event("2018-04-05T17:31:00Z", "2018"), "invalid_field", time);
    let meta = "field `envelopemeta`: not a JSON object";
    refused(
        event("comexampleextension1", "envelopemeta"),
        "invalid_field",
        meta,
    );
}

#[test]
fn headers_are_bounded_and_text() {
    let mut headers = BINARY.to_vec();
    headers.push(("ce_x", b"\xc3\x28"));
    let words = "header `ce_x` isn't UTF-8 from byte 0 on";
    refused(decode(&headers, None, "1"), "not_utf8", words);
    let long = "x".repeat(64 * 1024);
    headers[7] = ("ce_x", long.as_bytes());
    let error = decode(&headers, None, "1").expect_err("too large");
    assert_eq!(error.reason(), "too_large");
    refused(
        decode(&BINARY, None, "{"),
        "not_json",
        "not JSON: EOF while parsing an object at line 1 column 1",
    );
}

#[test]
fn fields_that_an_attribute_smuggles_in_are_dropped() {
    let body = r#"{"specversion":"1.0","id":"1","source":"s","type":"t",
        "envelopemeta":"{\"userId\":\"root\",\"a\":1}","envelopefields":"{\"type\":\"x\",\"b\":2}",
        "userId":"root"}"#;
    let envelope = decode(&[], None, body).expect("an event").envelope;
    assert_eq!(envelope.metadata.user_id, None);
    let passed = Envelope::decode(&envelope.encode(), 1024).expect("an envelope");
    assert_eq!(passed, envelope);
    assert_eq!(passed.message_type, "t");
}

#[test]
fn another_reader_understands_our_events() {
    let (mut envelope, key) = (envelope(), Key::from("order-123"));
    envelope.metadata.trace = Trace::of(None, Some(PARENT), None);
    let message = envelope.to_wire(&key, Form::Structured);
    let event: cloudevents::Event = serde_json::from_slice(&message.body).expect("an event");
    assert_eq!(event.id(), "m-1");
    assert_eq!(event.ty(), "OrderCreated");
    assert_eq!(event.source().as_str(), "order-service");
    assert_eq!(event.subject(), Some("order-123"));
    assert_eq!(event.time().map(|it| it.timestamp()), Some(1_705_314_600));
    assert_eq!(event.datacontenttype(), Some("application/json"));
    let extension = |name: &str| event.extension(name).map(ToString::to_string);
    assert_eq!(extension("traceparent").as_deref(), Some(PARENT));
    assert_eq!(extension("retries"), Some("3".to_owned()));
    let theirs = serde_json::to_string(&event).expect("JSON");
    let back = decode(&[], None, &theirs).expect("an event");
    assert_eq!(back.key, key);
    assert_eq!(back.envelope.metadata.trace, envelope.metadata.trace);
    assert_eq!(back.envelope.metadata.user_id, envelope.metadata.user_id);
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The same envelope with its unknown fields in one order: attributes come before what they can't
/// hold.
fn sorted(mut envelope: Envelope) -> Envelope {
    for fields in [&mut envelope.unknown, &mut envelope.metadata.unknown] {
        let mut all: Vec<_> = std::mem::take(fields).into_iter().collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        *fields = all.into_iter().collect();
    }
    envelope
}

fn json() -> impl Strategy<Value = RawJson> {
    prop_oneof![
        "\\PC{0,10}".prop_map(|text| RawJson::from(&*text)),
        ".{0,5}".prop_map(|text| RawJson::from(&*text)),
        any::<i64>().prop_map(|number| RawJson::from(serde_json::json!(number))),
        any::<bool>().prop_map(|flag| RawJson::from(serde_json::json!(flag))),
        Just(RawJson::null()),
        Just(RawJson::parse(r#"{"a": [1.10, "\u0041"]}"#).expect("JSON")),
        Just(RawJson::parse("\"\\u0041\"").expect("JSON")),
        Just(RawJson::parse("1e2").expect("JSON")),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    let name = prop_oneof![
        "[a-z0-9]{1,5}",
        "[a-zA-Z_é]{1,5}",
        Just("subject".to_owned()),
        Just("datacontenttype".to_owned()),
        Just("eventsequence".to_owned()),
        Just("partitionkey".to_owned()),
        Just("id".to_owned()),
    ];
    proptest::collection::btree_map(name, json(), 0..6).prop_map(|all| all.into_iter().collect())
}

fn trace() -> impl Strategy<Value = Trace> {
    let context =
        (any::<u128>(), any::<u64>(), any::<u8>()).prop_filter_map("0", |(id, span, flags)| {
            let parent = format!("00-{id:032x}-{span:016x}-{flags:02x}");
            let parent = TraceParent::parse(&parent)?;
            let state = TraceState::parse("a=1,b=2");
            Some(Trace::Context { parent, state })
        });
    prop_oneof![
        Just(Trace::None),
        "\\PC{1,10}".prop_map(Trace::Text),
        context,
    ]
}

prop_compose! {
    fn any_metadata()(
        trace in trace(),
        texts in proptest::array::uniform3(proptest::option::of("\\PC{1,10}")),
        sequence in proptest::option::of(any::<u64>()),
        unknown in fields(),
    ) -> Metadata {
        let [user_id, causation_id, reply_to] = texts;
        Metadata { trace, user_id, causation_id, sequence, reply_to, unknown }
    }
}

prop_compose! {
    fn any_envelope()(
        names in proptest::array::uniform4("\\PC{1,20}"),
        version in (any::<u32>(), any::<u32>()),
        micros in any::<i64>(),
        data in json(),
        metadata in any_metadata(),
        unknown in fields(),
    ) -> Envelope {
        let [message_id, message_type, source, correlation_id] = names;
        let mut unknown = unknown;
        unknown.retain(|name| !crate::fields::ENVELOPE_FIELDS.contains(&name));
        Envelope {
            message_id, message_type, source, correlation_id, data, metadata, unknown,
            version: Version::new(version.0, version.1),
            timestamp: Timestamp::from_micros(micros),
        }
    }
}

proptest! {
    #[test]
    fn every_form_brings_everything_back(
        envelope in any_envelope(),
        key in "\\PC{0,10}",
        form in proptest::sample::select(&FORMS),
    ) {
        let key = Key(key);
        let decoded = envelope.to_wire(&key, form).view().decode(&reading()).expect("an envelope");
        prop_assert_eq!(decoded.form, form);
        prop_assert_eq!(sorted(decoded.envelope), sorted(envelope));
        let told = if form == Form::Plain { Key::none() } else { key };
        prop_assert_eq!(decoded.key, told);
    }

    #[test]
    fn nothing_that_is_read_panics(
        headers in proptest::collection::vec(("(ce_|cloudEvents:)?[a-z]{2,11}", ".{0,9}"), 0..9),
        content_type in proptest::option::of("application/(cloudevents(\\+json)?|json)"),
        body in prop_oneof![".{0,60}", Just(STRUCTURED.to_owned())],
    ) {
        let mut headers: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (&**name, value.as_bytes())).collect();
        let _ = decode(&headers, content_type.as_deref(), &body);
        headers.extend(BINARY);
        let _ = decode(&headers, content_type.as_deref(), &body);
    }
}
