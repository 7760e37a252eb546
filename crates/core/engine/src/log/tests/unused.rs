//! Deletion of unused logs.

use super::*;

const UNUSED_MS: u64 = 1_000;

/// A shard with a log that is deleted when unused.
fn shard() -> Shard {
    Shard::with(config(Lifetime {
        unused_ms_max: Some(UNUSED_MS),
        ..Lifetime::default()
    }))
}

fn config(lifetime: Lifetime) -> LogConfig {
    LogConfig {
        lifetime,
        ..queue_config()
    }
}

fn is_there(shard: &Shard) -> bool {
    shard.state.logs.log(LOG).is_some()
}

/// Checks that `act` is a use: the log is deleted its time after it, and not before.
fn is_a_use(act: impl FnOnce(&mut Shard)) {
    let mut shard = shard();
    shard.pass(UNUSED_MS - 1);
    act(&mut shard);
    shard.pass(UNUSED_MS - 1);
    assert!(is_there(&shard));
    shard.pass(1);
    assert!(!is_there(&shard));
}

#[test]
fn an_unused_log_goes_after_its_time() {
    let mut shard = shard();
    shard.append_many(2);
    let end = shard.now.plus_ms(UNUSED_MS);
    assert_eq!(shard.state.next_deadline(), Some(end));
    shard.pass(UNUSED_MS - 1);
    assert!(is_there(&shard) && shard.effects.is_empty());
    shard.pass(1);
    assert!(matches!(
        shard.effects[..],
        [Effect::Forget { log: LOG, .. }]
    ));
    assert_eq!(shard.state.next_deadline(), None);
    assert_eq!(
        shard.run(UseLog { log: LOG }).unwrap_err(),
        LogError::NoSuchLog
    );
}

#[test]
fn asking_for_records_is_a_use_and_publishing_is_none() {
    is_a_use(|shard| drop(shard.lease(request(1, 1))));
    is_a_use(|shard| shard.run(UseLog { log: LOG }).unwrap());
    let mut shard = shard();
    shard.pass(UNUSED_MS - 1);
    shard.append_many(1);
    shard.pass(1);
    assert!(!is_there(&shard));
}

#[test]
fn a_log_is_used_for_as_long_as_a_request_waits() {
    is_a_use(|shard| {
        let waiting = LeaseRequest {
            wait_ms: Some(5 * UNUSED_MS),
            ..request(1, 1)
        };
        shard.wait(waiting, 1);
        shard.lease(request(2, 1));
        shard.pass(5 * UNUSED_MS);
    });
}

#[test]
fn a_log_with_consumers_stays_and_counts_from_the_last_ones_end() {
    let consumed = |end: fn(&mut Shard)| {
        is_a_use(|shard| {
            for session in [1, 2] {
                let subscribe = subscribe(consumer(session, 1));
                shard
                    .run(Subscribe {
                        log: LOG,
                        terms: subscribe,
                    })
                    .unwrap();
            }
            shard
                .run(Unsubscribe {
                    log: LOG,
                    consumer: consumer(1, 1),
                    lingers: false,
                })
                .expect("ended");
            assert_eq!(shard.state.next_deadline(), None);
            shard.pass(10 * UNUSED_MS);
            end(shard);
        });
    };
    consumed(|shard| shard.close_session(2));
    consumed(|shard| {
        shard
            .run(Unsubscribe {
                log: LOG,
                consumer: consumer(2, 1),
                lingers: false,
            })
            .expect("ended");
    });
}

#[test]
fn a_restart_is_a_use() {
    is_a_use(|shard| {
        shard.now = shard.now.plus_ms(10 * UNUSED_MS);
        shard.restart();
    });
}

#[test]
fn a_log_that_went_is_gone_after_a_restart() {
    let mut shard = shard();
    shard.pass(UNUSED_MS);
    shard.restart();
    assert!(!is_there(&shard));
    assert_eq!(shard.state.logs.closed().count(), 0);
}

#[test]
fn an_auto_delete_log_that_never_had_a_consumer_goes_after_its_time() {
    let mut shard = Shard::with(config(Lifetime {
        auto_delete: true,
        unused_ms_max: Some(UNUSED_MS),
        ..Lifetime::default()
    }));
    shard.pass(UNUSED_MS);
    assert!(!is_there(&shard));
}

#[test]
fn a_log_without_a_time_stays() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(1);
    shard.run(UseLog { log: LOG }).unwrap();
    assert_eq!(shard.state.next_deadline(), None);
}
