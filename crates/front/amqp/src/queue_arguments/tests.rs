use super::*;

fn subject() -> Subject<'static> {
    Subject::queue("q", "/")
}

fn read(name: &'static str, value: Value) -> Result<QueueArguments, String> {
    let table = Table::new().with(name, value);
    let arguments = QueueArguments::read(&table);
    let checked = arguments.check(&subject());
    checked.map(|()| arguments).map_err(|fault| fault.text())
}

fn kept(name: &'static str, value: Value) -> Settings {
    let mut settings = Settings::new();
    read(name, value).unwrap().write(&mut settings);
    settings
}

fn inequivalent(received: &Table, kept: &Settings) -> String {
    let arguments = QueueArguments::read(received);
    let fault = arguments.check_equivalence(&subject(), kept).unwrap_err();
    fault.text()
}

#[test]
fn values_of_a_wrong_form_are_refused_in_rabbitmqs_words() {
    let invalid = |name, value| read(name, value).unwrap_err();
    let prefix = "PRECONDITION_FAILED - invalid arg";
    assert_eq!(
        invalid("x-message-ttl", Value::text("abc")),
        format!(
            "{prefix} 'x-message-ttl' for queue 'q' in vhost '/': \"expected integer, got longstr\""
        )
    );
    assert_eq!(
        invalid("x-queue-leader-locator", Value::text("nowhere")),
        format!(
            "{prefix} 'x-queue-leader-locator' for queue 'q' in vhost '/': \
             invalid_queue_locator_arg"
        )
    );
    assert_eq!(
        invalid("x-message-ttl", Value::Int32(-1)),
        format!("{prefix} 'x-message-ttl' for queue 'q' in vhost '/': {{value_negative,-1}}")
    );
    assert_eq!(
        invalid("x-message-ttl", Value::Int64(1 << 40)),
        format!(
            "{prefix} 'x-message-ttl' for queue 'q' in vhost '/': {{value_too_large,1099511627776}}"
        )
    );
    assert_eq!(
        invalid("x-expires", Value::Int32(0)),
        format!("{prefix} 'x-expires' for queue 'q' in vhost '/': {{value_zero,0}}")
    );
    assert_eq!(
        invalid("x-expires", Value::Int32(-5)),
        format!("{prefix} 'x-expires' for queue 'q' in vhost '/': {{value_negative,-5}}")
    );
    assert_eq!(
        invalid("x-expires", Value::Int64(315_360_000_001)),
        format!(
            "{prefix} 'x-expires' for queue 'q' in vhost '/': {{value_too_large,315360000001}}"
        )
    );
    assert_eq!(
        invalid("x-queue-type", Value::text("weird")),
        format!(
            "{prefix} 'x-queue-type' for queue 'q' in vhost '/': \"unsupported queue type 'weird'\""
        )
    );
}

/// The error text for a value, after the argument and the queue.
fn said(name: &'static str, value: Value) -> String {
    let text = read(name, value).unwrap_err();
    let prefix = format!("PRECONDITION_FAILED - invalid arg '{name}' for queue 'q' in vhost '/': ");
    text.strip_prefix(&prefix).unwrap_or(&text).to_owned()
}

#[test]
fn a_queue_version_is_1_or_2() {
    let cases = [
        (
            "x-queue-version",
            Value::Int32(3),
            "\"unsupported queue version '3'\"",
        ),
        (
            "x-queue-version",
            Value::Int32(0),
            "\"unsupported queue version '0'\"",
        ),
        (
            "x-queue-version",
            Value::text("1"),
            "\"expected integer, got longstr\"",
        ),
    ];
    for (name, value, text) in cases {
        assert_eq!(said(name, value), text);
    }
    assert!(read("x-queue-version", Value::Int64(2)).is_ok());
}

#[test]
fn each_argument_has_its_own_words_for_what_it_is_not() {
    let cases = [
        (
            "x-queue-type",
            Value::Int32(5),
            "{unacceptable_type,signedint}",
        ),
        ("x-queue-type", Value::Void, "{unacceptable_type,void}"),
        (
            "x-queue-mode",
            Value::Bool(true),
            "{unacceptable_type,bool}",
        ),
        (
            "x-queue-mode",
            Value::text(""),
            "\"unsupported queue mode ''\"",
        ),
        (
            "x-overflow",
            Value::Double(5.0),
            "{unacceptable_type,double}",
        ),
        ("x-overflow", Value::text("bogus"), "invalid_overflow"),
        (
            "x-single-active-consumer",
            Value::text("true"),
            "{unacceptable_type,longstr}",
        ),
        ("x-queue-version", Value::Int32(-1), "{value_negative,-1}"),
        ("x-max-priority", Value::Int32(-1), "{value_negative,-1}"),
        (
            "x-max-priority",
            Value::Int32(256),
            "{max_value_exceeded,256}",
        ),
        (
            "x-max-priority",
            Value::text("5"),
            "\"expected integer, got longstr\"",
        ),
        (
            "x-dead-letter-routing-key",
            Value::Int8(5),
            "{unacceptable_type,byte}",
        ),
        (
            "x-dead-letter-exchange",
            Value::Int8(5),
            "PRECONDITION_FAILED - invalid type 'byte' for arg 'x-dead-letter-exchange' in queue \
             'q' in vhost '/'",
        ),
    ];
    for (name, value, text) in cases {
        assert_eq!(said(name, value), text);
    }
}

/// For an existing queue, the values are compared whatever their type: types are checked only for a
/// new queue.
#[test]
fn a_value_of_another_type_than_that_in_force_is_told_with_both() {
    let in_force = kept("x-queue-mode", Value::text("lazy"));
    let prefix =
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-mode' for queue 'q' in vhost '/':";
    let nested = Value::Array(vec![Value::Int32(5)]);
    for (value, received) in [
        (Value::Int64(5), "'5'"),
        (Value::Double(5.0), "'5.0'"),
        (Value::text(""), "''"),
        (Value::Void, "none"),
        (nested, "'[{signedint,5}]'"),
    ] {
        let table = Table::new().with("x-queue-mode", value);
        assert_eq!(
            inequivalent(&table, &in_force),
            format!("{prefix} received {received} but current is 'lazy'")
        );
    }
    let unknown = Table::new().with("x-queue-mode", Value::Void);
    assert_eq!(
        inequivalent(&unknown, &Settings::new()),
        format!("{prefix} received the value 'undefined' of type 'void' but current is none")
    );
    let in_force = kept("x-message-ttl", Value::Int32(5));
    let timestamp = Table::new().with("x-message-ttl", Value::Timestamp(5));
    let same = QueueArguments::read(&timestamp).check_equivalence(&subject(), &in_force);
    assert_eq!(same, Ok(()));
}

#[test]
fn unknown_arguments_are_ignored() {
    assert_eq!(
        read("x-own-note", Value::Int32(5)),
        Ok(QueueArguments::default())
    );
}

#[test]
fn a_queue_may_limit_the_bytes_of_its_ready_messages() {
    let ledger = |table: Table| QueueArguments::read(&table).ledger();
    let size = Table::new().with("x-max-length-bytes", Value::Int64(1 << 40));
    assert_eq!(ledger(size.clone()).ready_bytes_max, Some(1 << 40));
    // A stream keeps so many.
    let stream = size.with("x-queue-type", Value::text("stream"));
    assert_eq!(ledger(stream).ready_bytes_max, None);
}

#[test]
fn a_queue_may_have_up_to_255_priorities_unless_it_is_a_quorum_queue() {
    for (max, expected) in [(0, 0), (1, 1), (255, 255)] {
        let arguments = read("x-max-priority", Value::Int32(max)).unwrap();
        assert_eq!(arguments.priority_max(), expected);
    }
    let quorum = Table::new()
        .with("x-max-priority", Value::Int32(500))
        .with("x-queue-type", Value::text("quorum"));
    let refused = QueueArguments::read(&quorum).check(&subject()).unwrap_err();
    assert_eq!(
        refused.text(),
        "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/' of queue \
         type rabbit_quorum_queue"
    );
}

#[test]
fn one_consumer_at_a_time_is_served_if_the_queue_is_declared_so() {
    for flag in [true, false] {
        let arguments = read("x-single-active-consumer", Value::Bool(flag)).unwrap();
        assert_eq!(arguments.is_single_active(), flag);
    }
}

#[test]
fn a_time_to_live_may_be_an_integer_of_any_width() {
    let arguments = read("x-message-ttl", Value::UInt16(1000)).unwrap();
    assert_eq!(arguments.ledger().expiry_ms, Some(1000));
    let kept = kept("x-message-ttl", Value::Int64(1000));
    assert_eq!(arguments.check_equivalence(&subject(), &kept), Ok(()));
}

#[test]
fn other_arguments_than_those_in_force_are_told_in_rabbitmqs_words() {
    let prefix =
        "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/':";
    let ttl = |ms| Table::new().with("x-message-ttl", Value::Int32(ms));
    let in_force = kept("x-message-ttl", Value::Int32(1000));
    assert_eq!(
        inequivalent(&ttl(2000), &in_force),
        format!("{prefix} received '2000' but current is '1000'")
    );
    assert_eq!(
        inequivalent(&Table::new(), &in_force),
        format!("{prefix} received none but current is the value '1000' of type 'signedint'")
    );
    assert_eq!(
        inequivalent(&ttl(1000), &Settings::new()),
        format!("{prefix} received the value '1000' of type 'signedint' but current is none")
    );
}

#[test]
fn an_argument_of_another_type_is_refused_for_a_new_queue_and_ignored_for_an_existing_one() {
    let quorum = Table::new()
        .with("x-queue-type", Value::text("quorum"))
        .with("x-queue-mode", Value::text("lazy"));
    let arguments = QueueArguments::read(&quorum);
    assert_eq!(
        arguments.check(&subject()).unwrap_err().text(),
        "PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'q' in vhost '/' of queue type \
         rabbit_quorum_queue"
    );
    let existing = kept("x-queue-type", Value::text("quorum"));
    assert_eq!(arguments.check_equivalence(&subject(), &existing), Ok(()));
    assert!(read("x-max-in-memory-length", Value::Int32(5)).is_err());
}

#[test]
fn a_queue_without_a_type_is_classic() {
    let classic = read("x-queue-type", Value::text("classic")).unwrap();
    assert_eq!(
        classic.check_equivalence(&subject(), &Settings::new()),
        Ok(())
    );
    let quorum = Table::new().with("x-queue-type", Value::text("quorum"));
    assert_eq!(
        inequivalent(&quorum, &Settings::new()),
        "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received \
         the value 'quorum' of type 'longstr' but current is none"
    );
}

fn of_type(kind: &'static str, name: &'static str, value: Value) -> Result<(), String> {
    let table = Table::new()
        .with("x-queue-type", Value::text(kind))
        .with(name, value);
    let arguments = QueueArguments::read(&table);
    let checked = arguments
        .check(&subject())
        .and_then(|()| arguments.check_stream());
    checked.map_err(|fault| fault.text())
}

/// RabbitMQ's responses.
#[test]
fn a_stream_takes_its_own_arguments_alone() {
    let taken = [
        ("x-max-age", Value::text("7D")),
        ("x-max-length-bytes", Value::Int64(1 << 62)),
        (
            "x-stream-max-segment-size-bytes",
            Value::Int64(3_000_000_000),
        ),
        ("x-stream-filter-size-bytes", Value::Int32(16)),
        ("x-initial-cluster-size", Value::Int32(3)),
        ("x-queue-leader-locator", Value::text("client-local")),
        ("x-anything", Value::Void),
    ];
    for (name, value) in taken {
        assert_eq!(of_type("stream", name, value), Ok(()), "{name}");
    }
}

fn invalid(name: &str, what: &str) -> Result<(), String> {
    let prefix = "PRECONDITION_FAILED - invalid arg";
    Err(format!(
        "{prefix} '{name}' for queue 'q' in vhost '/'{what}"
    ))
}

/// RabbitMQ's responses.
#[test]
fn a_stream_refuses_the_arguments_of_queues_and_they_its() {
    for name in [
        "x-expires",
        "x-message-ttl",
        "x-max-length",
        "x-dead-letter-exchange",
        "x-overflow",
        "x-max-priority",
        "x-queue-mode",
    ] {
        let refused = of_type("stream", name, Value::Int32(0));
        let expected = invalid(name, " of queue type rabbit_stream_queue");
        assert_eq!(refused, expected);
    }
    for (kind, type_name) in [
        ("classic", "rabbit_classic_queue"),
        ("quorum", "rabbit_quorum_queue"),
    ] {
        let refused = of_type(kind, "x-max-age", Value::text("zz"));
        let what = format!(" of queue type {type_name}");
        assert_eq!(refused, invalid("x-max-age", &what));
    }
}

/// RabbitMQ's responses.
#[test]
fn the_values_of_a_streams_arguments_are_checked() {
    assert_eq!(
        of_type("stream", "x-max-age", Value::text("1x")),
        invalid("x-max-age", ": invalid_max_age")
    );
    assert_eq!(
        of_type("stream", "x-max-age", Value::Int32(1)),
        invalid("x-max-age", ": {unacceptable_type,signedint}")
    );
    assert_eq!(
        of_type("stream", "x-max-length-bytes", Value::Int32(-1)),
        invalid("x-max-length-bytes", ": {value_negative,-1}")
    );
    assert_eq!(
        of_type("stream", "x-queue-leader-locator", Value::text("zz")),
        invalid("x-queue-leader-locator", ": invalid_queue_locator_arg")
    );
    let cases = [
        (
            "x-stream-max-segment-size-bytes",
            3_000_000_001,
            "Exceeded max value for x-stream-max-segment-size-bytes",
        ),
        (
            "x-stream-filter-size-bytes",
            256,
            "Invalid value for  x-stream-filter-size-bytes",
        ),
    ];
    for (name, value, what) in cases {
        let expected = Err(format!("PRECONDITION_FAILED - {what}"));
        assert_eq!(of_type("stream", name, Value::Int64(value)), expected);
    }
}

#[test]
fn a_stream_is_bounded_by_age_and_size() {
    let table = Table::new()
        .with("x-queue-type", Value::text("stream"))
        .with("x-max-age", Value::text("1h"))
        .with("x-max-length-bytes", Value::Int32(5000));
    let window = QueueArguments::read(&table).window();
    assert_eq!(window.time_ms, Some(3_600_000));
    assert_eq!(window.size_bytes, Some(5_000));
}

/// As in RabbitMQ, which looks at the value only when it needs it.
#[test]
fn a_consumer_timeout_is_neither_checked_nor_compared_and_counts_if_it_is_an_integer() {
    let ms = |value: Value| {
        let timeout = consumer_timeout(&kept("x-consumer-timeout", value))?;
        Some(timeout.as_millis())
    };
    assert_eq!(ms(Value::Int32(5_000)), Some(5_000));
    assert_eq!(ms(Value::Int64(i64::MAX)), Some(9_223_372_036_854_775_807));
    assert_eq!(ms(Value::Int8(-1)), Some(0));
    for odd in [Value::text("5"), Value::Bool(true), Value::Void] {
        assert!(read("x-consumer-timeout", odd.clone()).is_ok());
        assert_eq!(ms(odd), None);
    }
    let other = kept("x-consumer-timeout", Value::Int32(5));
    let none = QueueArguments::default().check_equivalence(&subject(), &other);
    assert_eq!(none, Ok(()));
}
