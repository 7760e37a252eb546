use stele_wire_amqp::Value;

use super::*;

fn start_of(value: &Value) -> Option<Start> {
    Start::read(value)
}

#[test]
fn a_reader_begins_where_rabbitmq_begins() {
    let cases = [
        (Value::text("first"), Start::First),
        (Value::text("last"), Start::Last),
        (Value::text("next"), Start::Next),
        (Value::ByteArray(Bytes::from_static(b"first")), Start::First),
        (Value::Int8(7), Start::Offset(Offset(7))),
        (
            Value::Int64(i64::MAX),
            Start::Offset(Offset(i64::MAX as u64)),
        ),
        (Value::Int32(-5), Start::Offset(Offset(0))),
        (Value::Timestamp(5), Start::Time(Timestamp(5_000))),
        (Value::Timestamp(u64::MAX), Start::Time(Timestamp(i64::MAX))),
        (Value::text("2h"), Start::Age(7_200_000)),
    ];
    for (value, expected) in cases {
        assert_eq!(start_of(&value), Some(expected), "{value:?}");
    }
}

#[test]
fn other_values_are_refused_in_rabbitmqs_words() {
    let cases = [
        (Value::text("1x"), "{longstr,<<\"1x\">>}"),
        (Value::text(""), "{longstr,<<>>}"),
        (Value::text("First"), "{longstr,<<\"First\">>}"),
        (Value::Bool(true), "{bool,true}"),
        (Value::Double(1.5), "{double,1.5}"),
        (Value::Void, "{void,undefined}"),
        (
            Value::Array(vec![Value::Int32(1)]),
            "{array,[{signedint,1}]}",
        ),
    ];
    for (value, shown) in cases {
        assert_eq!(start_of(&value), None, "{value:?}");
        let fault = invalid_offset(&Subject::queue("s", "/"), &value);
        let expected = format!(
            "PRECONDITION_FAILED - invalid arg 'x-stream-offset' for queue 's' in vhost '/': \
             {{invalid_stream_offset_arg,{shown}}}"
        );
        assert_eq!(fault.text(), expected);
    }
}

fn wants(filter: Table, headers: &Table) -> bool {
    Filter::read(&filter).wants(headers)
}

#[test]
fn a_filter_wants_its_values_and_on_request_what_has_none() {
    let of = |value: &str| Table::new().with(FILTER_VALUE, Value::text(value));
    let unfiltered = Table::new().with("other", Value::Int32(1));
    let one = Table::new().with(FILTER, Value::text("a"));
    assert!(wants(one.clone(), &of("a")));
    assert!(!wants(one.clone(), &of("b")));
    assert!(!wants(one.clone(), &unfiltered));
    let also_unfiltered = one.with(MATCH_UNFILTERED, Value::Bool(true));
    assert!(wants(also_unfiltered.clone(), &unfiltered));
    assert!(!wants(also_unfiltered, &of("b")));
    let several = Value::Array(vec![Value::text("a"), Value::Int32(1), Value::text("b")]);
    let several = Table::new().with(FILTER, several);
    assert!(wants(several.clone(), &of("b")));
    assert!(!wants(several, &of("c")));
    // As in RabbitMQ, a value of another type is no filter.
    assert!(wants(Table::new().with(FILTER, Value::Int32(1)), &of("c")));
    assert!(wants(Table::new(), &unfiltered));
}

#[test]
fn a_message_carries_its_offset_beside_its_own_headers() {
    let own = Table::new()
        .with(OFFSET, Value::text("forged"))
        .with("mine", Value::Int32(1));
    let properties = Properties {
        headers: Some(EncodedTable::from(&own)),
        priority: Some(3),
        ..Properties::default()
    };
    let read = read_as(&properties.encode(), Offset(9), &Filter::default()).unwrap();
    let read = read.parse().unwrap();
    let expected = Table::new()
        .with("mine", Value::Int32(1))
        .with(OFFSET, Value::Int64(9));
    assert_eq!(read.headers.unwrap().decode().unwrap(), expected);
    assert_eq!(read.priority, Some(3));
}
