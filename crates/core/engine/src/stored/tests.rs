use stele_base_types::{LogId, SessionId, Timestamp};

use super::*;
use crate::{
    DeathReasons, Durability, ExchangeKind, LedgerConfig, Lifetime, LogConfig, LogRecord, Overflow,
    Retention, Window, stored::config::LogField,
};

fn opened(config: LogConfig) -> Record {
    Record::Log(
        LogId(7),
        LogRecord::Opened {
            config,
            at: Timestamp(1),
        },
    )
}

const LEAST: LogConfig = LogConfig {
    partitions: 1,
    durability: Durability::Synced,
    retention: Retention {
        until_acknowledged: false,
        window: None,
    },
    lifetime: Lifetime {
        exclusive: None,
        auto_delete: false,
        unused_ms_max: None,
    },
    queue: None,
};

/// A configuration in which every field differs from its default.
const MOST: LogConfig = LogConfig {
    partitions: 3,
    durability: Durability::Flushed,
    retention: Retention {
        until_acknowledged: true,
        window: Some(Window {
            time_ms: Some(1),
            size_bytes: Some(2),
        }),
    },
    lifetime: Lifetime {
        exclusive: Some(SessionId(4)),
        auto_delete: true,
        unused_ms_max: Some(5),
    },
    queue: Some(LedgerConfig {
        fifo: true,
        delay_ms: 6,
        expiry_ms: Some(7),
        deliveries_max: Some(8),
        dead_letters: DeathReasons::ALL,
        ready_max: Some(9),
        overflow: Overflow::RefuseAsDead,
        single_active: true,
        by_priority: true,
        ready_bytes_max: Some(10),
    }),
};

#[test]
fn a_configuration_is_read_as_it_was_stored() {
    let bare = LogConfig {
        retention: Retention {
            window: Some(Window {
                time_ms: None,
                size_bytes: None,
            }),
            ..LEAST.retention
        },
        queue: Some(LedgerConfig::default()),
        ..LEAST
    };
    for config in [LEAST, MOST, bare] {
        let record = opened(config);
        let mut state = State::default();
        state.replay(&record.store(Vec::new())).unwrap();
        assert_eq!(state.logs.log(LogId(7)).unwrap().config, config);
    }
}

#[test]
fn a_field_that_was_not_stored_has_its_default() {
    let bytes = postcard::to_stdvec::<Vec<LogField>>(&Vec::new()).unwrap();
    assert_eq!(postcard::from_bytes::<LogConfig>(&bytes).unwrap(), LEAST);
}

#[test]
fn a_field_of_a_newer_program_is_refused() {
    // One field, with a number far beyond the known ones.
    let refused = postcard::from_bytes::<LogConfig>(&[1, 100]);
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn a_form_of_a_newer_program_is_refused_by_its_version() {
    let record = opened(LEAST);
    let mut state = State::default();
    let mut stored = record.store(Vec::new());
    stored[0] += 1;
    let refused = state.replay(&stored).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "stored in form 4, but this stele knows forms 1 to 3"
    );
    for (part, mut stored) in state.store() {
        stored[0] += 1;
        let refused = State::default().load_part(part, &stored);
        assert!(matches!(refused, Err(StoredError::Version(4))));
        let refused = State::default().load_part(part, &stored[1..]);
        assert!(matches!(refused, Err(StoredError::NoVersion)), "{part:?}");
    }
    assert!(matches!(state.replay(&[]), Err(StoredError::Empty)));
}

#[test]
fn what_was_never_journalled_is_refused_in_the_first_form() {
    // `Committed` of partition 0 of log 0, up to offset 0.
    assert!(matches!(
        State::default().replay(&[7, 0, 0, 0]),
        Err(StoredError::Form(_))
    ));
}

#[test]
fn kinds_of_exchanges_keep_their_numbers() {
    let kinds = [
        ExchangeKind::Direct,
        ExchangeKind::Fanout,
        ExchangeKind::Topic,
        ExchangeKind::Headers,
        ExchangeKind::ConsistentHash,
        ExchangeKind::ModulusHash,
        ExchangeKind::Random,
        ExchangeKind::LocalRandom,
        ExchangeKind::Delayed,
    ];
    for (number, kind) in (0..).zip(kinds) {
        assert_eq!(postcard::to_allocvec(&kind).unwrap(), [number], "{kind:?}");
    }
}
