use super::*;
use crate::{DeathReason, DeathReasons, Role, SettingsChange};

fn topic() -> LogConfig {
    LogConfig {
        partitions: 3,
        retention: week(),
        queue: None,
        ..config()
    }
}

fn contradiction(result: Result<Declared, CatalogueError>) -> &'static str {
    match result {
        Err(CatalogueError::Contradiction(contradiction)) => contradiction.field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_log_has_the_time_and_the_facet_of_its_declaration() {
    let mut driven = Driven::default();
    let declared = driven.declare(declaration("orders", "amqp", config()));
    let Ok(Declared::Created(definition)) = declared else {
        panic!("{declared:?}");
    };
    assert_eq!(definition.created, NOW);
    assert_eq!(driven.state.catalogue.log("/", "orders"), Some(&definition));
    assert_eq!(
        driven.state.catalogue.log_by_id(definition.id),
        Some(&definition)
    );
    assert!(definition.facets.contains_key("amqp"));
}

#[test]
fn the_brokers_own_logs_are_in_a_virtual_host_that_clients_cannot_open() {
    let mut driven = Driven::default();
    let own = DeclareLog {
        vhost: Name::vhost_internal(),
        ..declaration("own", "broker", config())
    };
    let declared = driven.declare(own).unwrap();
    let catalogue = &driven.state.catalogue;
    let found = catalogue.log(VHOST_INTERNAL, "own");
    assert_eq!(found, Some(declared.definition()));
    assert!(!catalogue.has_vhost(VHOST_INTERNAL));
    assert_eq!(catalogue.log("/", "own"), None);
    let elsewhere = DeclareLog {
        vhost: Name::new("elsewhere").unwrap(),
        ..declaration("own", "broker", config())
    };
    let missing = driven.declare(elsewhere);
    assert!(matches!(missing, Err(CatalogueError::NoSuchVirtualHost(_))));
}

#[test]
fn another_protocol_adopts_with_the_union_of_both() {
    let mut driven = Driven::default();
    let id = driven.queue("orders");
    let declared = driven.declare(declaration("orders", "kafka", topic()));
    let Ok(Declared::Adopted(definition)) = declared else {
        panic!("{declared:?}");
    };
    assert_eq!(definition.id, id);
    assert_eq!(definition.config.partitions, 1, "a queue keeps its order");
    assert!(definition.config.retention.until_acknowledged);
    assert!(definition.config.retention.window.is_some());
    assert_eq!(definition.config.queue, config().queue);
    assert_eq!(definition.facets.len(), 2);
}

#[test]
fn a_topic_adopted_by_a_queue_protocol_gets_its_queue() {
    let mut driven = Driven::default();
    driven
        .declare(declaration("orders", "kafka", topic()))
        .unwrap();
    let declared = driven.declare(declaration("orders", "sqs", config()));
    let definition = declared.unwrap().definition().clone();
    assert_eq!(definition.config.queue, config().queue);
    assert_eq!(definition.config.partitions, 3);
}

#[test]
fn the_same_protocol_finds_it_and_changes_nothing() {
    let mut driven = Driven::default();
    driven.queue("orders");
    let version = driven.state.catalogue.version();
    let other = LogConfig {
        partitions: 7,
        ..config()
    };
    let declared = driven.declare(declaration("orders", "amqp", other));
    let Ok(Declared::Exists(definition)) = declared else {
        panic!("{declared:?}");
    };
    assert_eq!(definition.config, config());
    assert_eq!(driven.state.catalogue.version(), version);
}

#[test]
fn contradictions_name_the_field() {
    let mut driven = Driven::default();
    driven.queue("orders");
    let mut with = |change: fn(&mut LogConfig)| {
        let mut config = config();
        change(&mut config);
        contradiction(driven.declare(declaration("orders", "sqs", config)))
    };
    let volatile = |config: &mut LogConfig| config.durability = Durability::Volatile;
    assert_eq!(with(volatile), "durable");
    assert_eq!(
        with(|config| config.lifetime = exclusive().lifetime),
        "exclusive"
    );
    assert_eq!(
        with(|config| config.lifetime.auto_delete = true),
        "auto_delete"
    );
    assert_eq!(
        with(|config| config.lifetime.unused_ms_max = Some(500)),
        "expires"
    );
    let fifo = |config: &mut LogConfig| {
        config.queue = Some(LedgerConfig {
            fifo: true,
            ..LedgerConfig::default()
        });
    };
    assert_eq!(with(fifo), "fifo");
    assert_eq!(
        driven
            .state
            .catalogue
            .log("/", "orders")
            .unwrap()
            .facets
            .len(),
        1
    );
}

#[test]
fn flushed_and_synced_agree_on_the_safer_one() {
    let mut driven = Driven::default();
    let flushed = LogConfig {
        durability: Durability::Flushed,
        ..topic()
    };
    driven
        .declare(declaration("orders", "kafka", flushed))
        .unwrap();
    let declared = driven.declare(declaration("orders", "amqp", config()));
    let config = declared.unwrap().definition().config;
    assert_eq!(config.durability, Durability::Synced);
}

#[test]
fn an_exclusive_log_is_refused_to_another_session() {
    let mut driven = Driven::default();
    driven
        .declare(declaration("mine", "amqp", exclusive()))
        .unwrap();
    let mut other = exclusive();
    other.lifetime.exclusive = Some(SessionId(8));
    let refused = driven.declare(declaration("mine", "sqs", other));
    assert_eq!(refused.unwrap_err(), CatalogueError::Exclusive);
}

#[test]
fn what_a_declaration_does_not_ask_the_maker_has_chosen() {
    let mut driven = Driven::default();
    let transient = LogConfig {
        durability: Durability::Volatile,
        ..exclusive()
    };
    driven
        .declare(declaration("mine", "amqp", transient))
        .unwrap();
    let open = DeclareLog {
        adopt: Adopt::default(),
        ..declaration("mine", "kafka", topic())
    };
    let adopted = driven.declare(open).unwrap().definition().config;
    assert_eq!(adopted.durability, Durability::Volatile);
    assert_eq!(adopted.lifetime, transient.lifetime);
}

#[test]
fn a_fifo_queue_does_not_grow() {
    let mut driven = Driven::default();
    let mut fifo = config();
    fifo.queue = Some(LedgerConfig {
        fifo: true,
        ..LedgerConfig::default()
    });
    let declared = driven.declare(declaration("orders.fifo", "sqs", fifo));
    let log = declared.unwrap().definition().id;
    let grown = driven.run(AlterLog {
        partitions: Some(2),
        ..AlterLog::nothing(log)
    });
    let refused = CatalogueError::Partitions {
        existing: 1,
        requested: 2,
    };
    assert_eq!(grown.unwrap_err(), refused);
}

#[test]
fn a_class_that_is_asked_for_is_the_least() {
    let mut driven = Driven::default();
    let flushed = LogConfig {
        durability: Durability::Flushed,
        ..topic()
    };
    driven
        .declare(declaration("flushed", "kafka", flushed))
        .unwrap();
    driven
        .declare(declaration("synced", "kafka", topic()))
        .unwrap();
    for (log, durability) in [
        ("flushed", Durability::Flushed),
        ("synced", Durability::Synced),
    ] {
        let at_least_flushed = DeclareLog {
            adopt: Adopt::same_as(&flushed),
            ..declaration(log, "sqs", config())
        };
        let adopted = driven.declare(at_least_flushed).unwrap();
        assert_eq!(adopted.definition().config.durability, durability);
    }
}

#[test]
fn a_queue_that_is_adopted_gets_the_schedule_that_is_asked_for() {
    let mut driven = Driven::default();
    driven.queue("orders");
    let delayed = DeclareLog {
        adopt: Adopt {
            delay_ms: Some(3_000),
            ..Adopt::default()
        },
        ..declaration("orders", "sqs", config())
    };
    let queue = driven.declare(delayed).unwrap().definition().config.queue;
    let expected = LedgerConfig {
        delay_ms: 3_000,
        ..LedgerConfig::default()
    };
    assert_eq!(queue, Some(expected));
}

#[test]
fn a_limit_of_deliveries_is_set_and_removed_and_the_stricter_of_two_applies() {
    let mut driven = Driven::default();
    let log = driven.queue("orders");
    let limit = |deliveries_max, dies| AlterLog {
        deliveries_max: Some(deliveries_max),
        dead_letters: Some((DeathReason::Deliveries, dies)),
        ..AlterLog::nothing(log)
    };
    driven.run(limit(Some(3), true)).unwrap();
    let reasons = DeathReasons::only(DeathReason::Expired);
    let declare = |driven: &mut Driven, facet, deliveries_max| {
        let queue = LedgerConfig {
            deliveries_max: Some(deliveries_max),
            dead_letters: reasons,
            ..LedgerConfig::PLAIN
        };
        let config = LogConfig {
            queue: Some(queue),
            ..config()
        };
        let declared = driven.declare(declaration("orders", facet, config));
        declared.unwrap().definition().config.queue.unwrap()
    };
    let queue = declare(&mut driven, "sqs", 21);
    let both = reasons.and(DeathReason::Deliveries);
    assert_eq!((queue.deliveries_max, queue.dead_letters), (Some(3), both));
    let queue = declare(&mut driven, "kafka", 2);
    assert_eq!(queue.deliveries_max, Some(2));
    driven.run(limit(None, false)).unwrap();
    let queue = driven.state.catalogue.log_by_id(log).unwrap().config.queue;
    let queue = queue.unwrap();
    assert_eq!((queue.deliveries_max, queue.dead_letters), (None, reasons));
}

#[test]
fn opening_changes_nothing_of_what_the_log_that_was_found_keeps_and_of_no_other() {
    let mut driven = Driven::default();
    let made = driven
        .declare(declaration("orders", "kafka", topic()))
        .unwrap();
    let found = made.definition().clone();
    let opening = || DeclareLog::opening(&found, "sqs".into(), Settings::new());
    let opened = driven.declare(opening()).unwrap().definition().clone();
    let expected = LogConfig {
        queue: Some(LedgerConfig::default()),
        ..found.config
    };
    assert!(!opened.config.retention.is_queue());
    assert_eq!((opened.id, opened.config), (found.id, expected));
    driven.undefine(found.id);
    assert_eq!(
        driven.declare(opening()).unwrap_err(),
        CatalogueError::NoSuchLog
    );
    driven.queue("orders");
    assert_eq!(
        driven.declare(opening()).unwrap_err(),
        CatalogueError::NoSuchLog
    );
}

#[test]
fn a_log_that_was_opened_is_a_queue_once_it_is_declared_one() {
    let mut driven = Driven::default();
    let made = driven.declare(declaration("orders", "kafka", topic()));
    let found = made.unwrap().definition().clone();
    let settings = Settings::from([("secret".into(), "1".into())]);
    let opening = DeclareLog::opening(&found, "sqs".into(), settings);
    driven.declare(opening).unwrap();
    let delayed = LedgerConfig {
        delay_ms: 3_000,
        expiry_ms: Some(60_000),
        ..LedgerConfig::default()
    };
    let queue = LogConfig {
        queue: Some(delayed),
        ..config()
    };
    let declaring = DeclareLog {
        settings: Settings::from([("secret".into(), "2".into()), ("wait".into(), "3".into())]),
        ..declaration("orders", "sqs", queue)
    };
    let Ok(Declared::Adopted(declared)) = driven.declare(declaring.clone()) else {
        panic!("it isn't a queue");
    };
    assert_eq!(
        declared.config.retention,
        Retention::QUEUE.union(found.config.retention)
    );
    assert_eq!(declared.config.queue, Some(delayed));
    let settings = &declared.facets["sqs"];
    assert_eq!(own_expiry_ms(settings), Some(60_000));
    let given = |name: &str| declaring.settings.contains_key(name);
    let kept = settings.iter().filter(|(name, _)| given(name));
    assert_eq!(kept.count(), 2);
    let again = driven.declare(declaring);
    assert!(matches!(again, Ok(Declared::Exists(_))), "{again:?}");
}

#[test]
fn of_the_limits_of_several_protocols_the_shortest_counts() {
    let mut driven = Driven::default();
    let expiring = |expiry_ms| LogConfig {
        queue: Some(LedgerConfig {
            expiry_ms,
            ..LedgerConfig::default()
        }),
        ..config()
    };
    let made = driven.declare(declaration("orders", "amqp", expiring(Some(60))));
    let log = made.unwrap().definition().id;
    let limits = |definition: &LogDefinition| {
        let own = |facet| own_expiry_ms(definition.facets.get(facet)?);
        let queue = definition.config.queue.unwrap();
        (own("amqp"), own("sqs"), queue.expiry_ms)
    };
    let mut adopting = declaration("orders", "sqs", expiring(Some(5)));
    adopting.adopt.expiry_ms = Some(90);
    let adopted = driven.declare(adopting).unwrap();
    assert_eq!(limits(adopted.definition()), (Some(60), Some(90), Some(60)));
    for (given, shortest) in [(30, 30), (100, 60)] {
        let alter = AlterLog {
            expiry_ms: Some(given),
            settings: Some(("sqs".into(), SettingsChange::new())),
            ..AlterLog::nothing(log)
        };
        let altered = driven.run(alter).unwrap();
        let expected = (Some(60), Some(given), Some(shortest));
        assert_eq!(limits(altered.definition()), expected);
    }
    // A declaration that names none leaves what the protocol has set before.
    let ends = AlterLog {
        ends: Some(Role::Queue),
        window_time_ms: Some(Some(1)),
        ..AlterLog::nothing(log)
    };
    driven.run(ends).unwrap();
    let again = driven.declare(declaration("orders", "sqs", expiring(None)));
    let expected = (Some(60), Some(100), Some(60));
    assert_eq!(limits(again.unwrap().definition()), expected);
}

#[test]
fn the_first_declaration_decides_the_order_of_a_log_that_was_opened() {
    let mut driven = Driven::default();
    let made = driven.declare(declaration("orders", "kafka", topic()));
    let found = made.unwrap().definition().clone();
    let opening = DeclareLog::opening(&found, "sqs".into(), Settings::new());
    driven.declare(opening).unwrap();
    let with_order = |fifo| LogConfig {
        queue: Some(LedgerConfig {
            fifo,
            ..LedgerConfig::default()
        }),
        ..config()
    };
    let declared = driven.declare(declaration("orders", "sqs", with_order(true)));
    let queue = declared.unwrap().definition().config.queue;
    assert!(queue.is_some_and(|queue| queue.fifo));
    let other = driven.declare(declaration("orders", "amqp", with_order(false)));
    assert_eq!(contradiction(other), "fifo");
    driven
        .declare(declaration("standard", "amqp", with_order(false)))
        .unwrap();
    let other = driven.declare(declaration("standard", "sqs", with_order(true)));
    assert_eq!(contradiction(other), "fifo");
}

#[test]
fn a_log_stops_being_a_queue_or_a_topic_where_it_stays_the_other() {
    let mut driven = Driven::default();
    let declared = driven.declare(declaration("orders", "kafka", topic()));
    let log = declared.unwrap().definition().id;
    driven
        .declare(declaration("orders", "amqp", config()))
        .unwrap();
    let mut ended = |role| {
        let ends = AlterLog {
            ends: Some(role),
            ..AlterLog::nothing(log)
        };
        let altered = driven.run(ends)?;
        Ok(altered.definition().config.retention)
    };
    assert_eq!(ended(Role::Queue), Ok(topic().retention));
    assert_eq!(
        ended(Role::Queue),
        Ok(topic().retention),
        "it is none already"
    );
    assert_eq!(ended(Role::Topic), Err(CatalogueError::OnlyRole));
    driven
        .declare(declaration("orders", "amqp", config()))
        .unwrap();
    let ends = AlterLog {
        ends: Some(Role::Topic),
        ..AlterLog::nothing(log)
    };
    let altered = driven.run(ends).unwrap();
    assert_eq!(altered.definition().config.retention, Retention::QUEUE);
}

#[test]
fn partitions_have_bounds() {
    let mut driven = Driven::default();
    let of = |partitions| LogConfig {
        partitions,
        ..topic()
    };
    let none = driven.declare(declaration("a", "kafka", of(0)));
    assert!(
        matches!(none, Err(CatalogueError::Partitions { .. })),
        "{none:?}"
    );
    let many = driven.declare(declaration("a", "kafka", of(10_001)));
    assert_eq!(many.unwrap_err(), CatalogueError::Limit("partitions"));
}

#[test]
fn an_unknown_virtual_host_is_refused() {
    let mut driven = Driven::default();
    let mut elsewhere = declaration("orders", "amqp", config());
    elsewhere.vhost = name("elsewhere");
    let refused = driven.declare(elsewhere).unwrap_err();
    assert_eq!(
        refused,
        CatalogueError::NoSuchVirtualHost(name("elsewhere"))
    );
}

#[test]
fn ids_of_deleted_logs_are_not_given_again() {
    let mut driven = Driven::default();
    let first = driven.queue("orders");
    driven.undefine(first);
    assert!(driven.state.catalogue.log("/", "orders").is_none());
    assert!(driven.queue("orders") > first);
}

#[test]
fn alterations_replace_what_they_name_and_keep_the_rest() {
    let mut driven = Driven::default();
    let log = driven.queue("orders");
    let wider = |partitions| AlterLog {
        partitions: Some(partitions),
        ..AlterLog::nothing(log)
    };
    driven.run(wider(4)).unwrap();
    let altered = driven.state.catalogue.log_by_id(log).unwrap().config;
    assert_eq!((altered.partitions, altered.queue), (4, config().queue));

    let fewer = driven.run(wider(2)).unwrap_err();
    let expected = CatalogueError::Partitions {
        existing: 4,
        requested: 2,
    };
    assert_eq!(fewer, expected);

    let version = driven.state.catalogue.version();
    driven.run(wider(4)).unwrap();
    assert_eq!(
        driven.state.catalogue.version(),
        version,
        "nothing was altered"
    );
}

#[test]
fn alterations_of_different_things_all_hold() {
    let mut driven = Driven::default();
    let log = driven.queue("orders");
    let nothing = || AlterLog::nothing(log);
    let set = |name: &str, value: Option<&str>| AlterLog {
        settings: Some(("sqs".into(), [(name.into(), value.map(Into::into))].into())),
        ..nothing()
    };
    let alterations = [
        set("one", Some("1")),
        set("two", Some("2")),
        set("one", None),
        AlterLog {
            delay_ms: Some(5),
            ..nothing()
        },
        AlterLog {
            expiry_ms: Some(7),
            ..nothing()
        },
        AlterLog {
            window_time_ms: Some(Some(11)),
            ..nothing()
        },
        AlterLog {
            window_size_bytes: Some(Some(13)),
            ..nothing()
        },
    ];
    for alter in alterations {
        driven.run(alter).unwrap();
    }
    let altered = driven.state.catalogue.log_by_id(log).unwrap();
    let settings = Settings::from([("two".into(), "2".into())]);
    assert_eq!(altered.facets.get("sqs"), Some(&settings));
    let queue = altered.config.queue.unwrap();
    assert_eq!((queue.delay_ms, queue.expiry_ms), (5, Some(7)));
    let expected = Retention {
        window: Some(Window {
            time_ms: Some(11),
            size_bytes: Some(13),
        }),
        ..Retention::QUEUE
    };
    assert_eq!(altered.config.retention, expected);
    let unbounded = AlterLog {
        window_time_ms: Some(None),
        ..nothing()
    };
    driven.run(unbounded).unwrap();
    let altered = driven.state.catalogue.log_by_id(log).unwrap();
    assert_eq!(altered.config.retention.window.unwrap().time_ms, None);
}

#[test]
fn an_alteration_that_was_judged_by_other_settings_changes_nothing() {
    let mut driven = Driven::default();
    let log = driven.queue("orders");
    let judged_by = |settings: &[&str], name: &str| AlterLog {
        settings: Some(("sqs".into(), [(name.into(), Some("1".into()))].into())),
        judged_by: Some(settings.iter().map(|&it| (it.into(), "1".into())).collect()),
        ..AlterLog::nothing(log)
    };
    let first = driven.run(judged_by(&[], "one")).unwrap();
    assert!(matches!(first, Altered::Made(_)));
    let Altered::Outdated(current) = driven.run(judged_by(&[], "two")).unwrap() else {
        panic!("it was judged by a log without the first setting");
    };
    assert_eq!(current.facets["sqs"].len(), 1);
    let again = driven.run(judged_by(&["one"], "two")).unwrap();
    assert!(matches!(again, Altered::Made(both) if both.facets["sqs"].len() == 2));
}

#[test]
fn logs_are_paged_by_name() {
    let mut driven = Driven::default();
    for log in ["b", "a", "d", "c"] {
        driven.queue(log);
    }
    let page = |after| {
        let logs = driven.state.catalogue.logs("/", after);
        logs.map(|log| log.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(None), ["a", "b", "c", "d"]);
    assert_eq!(page(Some("b")), ["c", "d"]);
    assert_eq!(page(Some("bb")), ["c", "d"]);
    assert_eq!(driven.state.catalogue.logs("other", None).count(), 0);
}

#[test]
fn what_a_definition_says_of_itself_is_bounded() {
    const LARGE: usize = 300 << 10;
    let mut driven = Driven::default();
    let log = driven.queue("q");
    let large = "x".repeat(LARGE);
    let limit = |what| CatalogueError::Limit(what);
    let settings = Settings::from([("note".into(), large.as_str().into())]);
    let declared = driven.declare(DeclareLog {
        settings: settings.clone(),
        ..declaration("other", "kafka", config())
    });
    assert_eq!(declared.unwrap_err(), limit("bytes of settings"));
    let change = [("note".into(), Some(large.as_str().into()))];
    let altered = driven.run(AlterLog {
        settings: Some(("amqp".into(), change.into_iter().collect())),
        ..AlterLog::nothing(log)
    });
    assert_eq!(altered.unwrap_err(), limit("bytes of settings"));
    let nested = Argument::Nested(vec![0; LARGE].into());
    let arguments = Arguments::from([("note".into(), nested)]);
    let declared = driven.run(DeclareExchange {
        arguments: arguments.clone(),
        ..exchange("e", ExchangeKind::Direct)
    });
    assert_eq!(declared.unwrap_err(), limit("bytes of arguments"));
    let bound = driven.run(Bind {
        arguments,
        ..bind("amq.direct", BindingTarget::Log(log), "key")
    });
    assert_eq!(bound.unwrap_err(), limit("bytes of arguments"));
}
