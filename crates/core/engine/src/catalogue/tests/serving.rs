//! Queues that order by priority or serve one consumer at a time.

use super::*;

fn by_priority(partitions: u32) -> LogConfig {
    LogConfig {
        partitions,
        queue: Some(LedgerConfig {
            by_priority: true,
            ..LedgerConfig::default()
        }),
        ..config()
    }
}

fn one_at_a_time() -> LogConfig {
    LogConfig {
        queue: Some(LedgerConfig {
            single_active: true,
            ..LedgerConfig::default()
        }),
        ..config()
    }
}

/// Declares the log through one protocol, and then through AMQP.
fn then_by_amqp(first: (&str, LogConfig), then: LogConfig) -> Result<LogConfig, CatalogueError> {
    let mut driven = Driven::default();
    let (facet, config) = first;
    driven
        .declare(declaration("orders", facet, config))
        .expect("it is new");
    let declared = driven.declare(declaration("orders", "amqp", then))?;
    Ok(declared.definition().config)
}

fn refused(first: (&str, LogConfig), then: LogConfig) -> (Box<str>, Box<str>) {
    match then_by_amqp(first, then) {
        Err(CatalogueError::Contradiction(it)) => {
            assert_eq!(it.field, "priorities");
            (it.received, it.current)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_queue_or_a_wide_topic_gets_no_priorities() {
    let wide = LogConfig {
        partitions: 3,
        queue: None,
        ..config()
    };
    assert_eq!(
        refused(("sqs", config()), by_priority(4)),
        ("3".into(), "none".into())
    );
    assert_eq!(
        refused(("kafka", wide), by_priority(4)),
        ("3".into(), "none".into())
    );
    let other = by_priority(6);
    assert_eq!(
        refused(("mqtt", other), by_priority(4)),
        ("3".into(), "5".into())
    );
}

#[test]
fn a_topic_of_one_partition_may_get_priorities() {
    let topic = LogConfig {
        queue: None,
        ..config()
    };
    let adopted = then_by_amqp(("kafka", topic), by_priority(4)).expect("adopted");
    assert_eq!(adopted.partitions, 4);
    assert!(adopted.orders_by_priority());
}

#[test]
fn who_asks_for_no_priorities_keeps_them() {
    let adopted = then_by_amqp(("sqs", by_priority(4)), config()).expect("adopted");
    assert_eq!(adopted.partitions, 4);
    assert!(adopted.orders_by_priority());
}

#[test]
fn a_queue_with_priorities_does_not_grow() {
    let mut driven = Driven::default();
    let declared = driven.declare(declaration("orders", "amqp", by_priority(4)));
    let log = declared.expect("it is new").definition().id;
    let grown = driven.run(AlterLog {
        partitions: Some(5),
        ..AlterLog::nothing(log)
    });
    let refused = CatalogueError::Partitions {
        existing: 4,
        requested: 5,
    };
    assert_eq!(grown.unwrap_err(), refused);
}

#[test]
fn a_declaration_may_have_a_queue_serve_one_consumer_at_a_time_and_none_ends_it() {
    let single = |config: LogConfig| config.queue.expect("a queue").single_active;
    let begun = then_by_amqp(("sqs", config()), one_at_a_time()).expect("adopted");
    assert!(single(begun));
    let kept = then_by_amqp(("sqs", one_at_a_time()), config()).expect("adopted");
    assert!(single(kept));
}
