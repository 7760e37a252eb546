//! Law 15, with queues of the names that records leave by themselves.

use stele_core_broker::name_of;
use stele_core_engine::{DeathReason, DeathReasons, LedgerConfig};

use super::*;
use crate::{
    event::{Death, Letter},
    letters::{self, id_of},
};

const GRAVES: PartitionId = PartitionId {
    log: LogId(2),
    index: PartitionIndex(0),
};

/// A queue of this name.
fn named(id: u64, name: &str) -> Event {
    let queue = letters::config(name).expect("it is one of these names");
    let Event::Defined(mut definition) = log_of(id, config_with(queue)) else {
        unreachable!("it is a definition");
    };
    definition.name = Name::new(name).unwrap();
    Event::Defined(definition)
}

fn config_with(queue: LedgerConfig) -> LogConfig {
    LogConfig {
        queue: Some(queue),
        ..queue_config(false)
    }
}

fn death(queue: &str, reason: DeathReason) -> Death {
    Death {
        queue: queue.into(),
        reason: name_of(reason).into(),
        count: 1,
    }
}

/// Record 1, which has died like this, in the first place of a partition.
fn letter(partition: PartitionId, deaths: &[Death]) -> Letter {
    Letter {
        record: id_of(RecordId(1), deaths),
        original: RecordId(1),
        deaths: deaths.to_vec(),
        partition,
        offset: Offset(0),
        is_own_body: true,
        body_bytes: 20,
        timestamp: Timestamp(0),
    }
}

fn rejected() -> Vec<Death> {
    vec![death("mortal", DeathReason::Rejected)]
}

fn sight(letter: &Letter) -> Event {
    Event::Letter(letter.clone())
}

/// Record 1 in `mortal`, which sends its letters to `graves`, is leased by session 7.
fn beginning() -> Vec<Event> {
    let queues = vec![named(1, "mortal"), named(2, "graves")];
    [queues, filled(1), vec![leased(7, 0)]].concat()
}

/// The same, rejected, with an answer that no crash undoes.
fn after_rejection() -> Vec<Event> {
    let asked = settling(0, Outcome::Reject, true);
    let told = Event::Settled {
        asked: asked.clone(),
        missing: Vec::new(),
    };
    [beginning(), vec![Event::Settling(asked), told]].concat()
}

fn at_rest() -> Event {
    Event::AtRest {
        links: Vec::new(),
        defined: Vec::new(),
        open: Vec::new(),
        moving: Vec::new(),
    }
}

#[test]
fn a_dead_letter_that_is_in_two_places_breaks_law_15() {
    let once = letter(GRAVES, &rejected());
    let again = Letter {
        offset: Offset(1),
        ..once.clone()
    };
    let seen = [after_rejection(), vec![sight(&once)]].concat();
    law_tells(15, &seen, &[], &[sight(&again)]);
}

#[test]
fn a_dead_letter_that_is_not_what_was_published_breaks_law_15() {
    let whole = letter(GRAVES, &rejected());
    let short = Letter {
        body_bytes: 19,
        ..whole.clone()
    };
    let other = Letter {
        is_own_body: false,
        ..whole.clone()
    };
    for forged in [short, other] {
        law_tells(15, &after_rejection(), &[sight(&whole)], &[sight(&forged)]);
    }
}

#[test]
fn a_history_that_cannot_have_happened_breaks_law_15() {
    let lawful = [sight(&letter(GRAVES, &rejected()))];
    let of = |deaths: &[Death]| [sight(&letter(GRAVES, deaths))];
    let told = after_rejection();
    // Nothing is too old, and nobody was ever in that queue.
    law_tells(
        15,
        &told,
        &lawful,
        &of(&[death("mortal", DeathReason::Expired)]),
    );
    law_tells(
        15,
        &told,
        &lawful,
        &of(&[death("round-a", DeathReason::Rejected)]),
    );
    let twice = Death {
        count: 2,
        ..death("mortal", DeathReason::Rejected)
    };
    law_tells(15, &told, &lawful, &of(&[twice]));
    // Nobody has rejected it.
    law_tells(15, &beginning(), &[], &lawful);
}

#[test]
fn a_dead_letter_that_never_arrives_breaks_law_15() {
    let arrived = [sight(&letter(GRAVES, &rejected())), at_rest()];
    law_tells(15, &after_rejection(), &arrived, &[at_rest()]);
    let purged = [Event::Purging(GRAVES.log), at_rest()];
    law_tells(15, &after_rejection(), &purged, &[at_rest()]);
}

#[test]
fn a_record_that_is_delivered_where_it_has_died_breaks_law_15() {
    let arrived = [after_rejection(), vec![sight(&letter(GRAVES, &rejected()))]].concat();
    let broken = broken_by(&[arrived, vec![leased(8, 0)]].concat());
    assert!(broken.contains(&15), "{broken:?}");
}

#[test]
fn a_letter_that_goes_round_breaks_law_15() {
    let round = [named(1, "round-a"), named(2, "round-b")];
    let beginning = [
        round.to_vec(),
        filled(1),
        vec![
            Event::Ticked(Timestamp(6_000)),
            sight(&letter(GRAVES, &[death("round-a", DeathReason::Expired)])),
        ],
    ]
    .concat();
    let back = |reason| {
        let deaths = [
            death("round-b", reason),
            death("round-a", DeathReason::Expired),
        ];
        vec![sight(&letter(PARTITION, &deaths))]
    };
    let died_in_b = letter(GRAVES, &[death("round-a", DeathReason::Expired)]).record;
    let one = LeasedOne {
        offset: Offset(0),
        record: died_in_b,
        lease: LeaseId(700),
        deliveries: 1,
        redelivered: true,
    };
    let held = Event::Leased(Leased {
        consumer: None,
        partition: GRAVES,
        session: SessionId(7),
        records: vec![one],
        until: None,
        is_taken: false,
        beside: Default::default(),
    });
    let asked = Settling {
        log: GRAVES.log,
        ..settling(0, Outcome::Reject, false)
    };
    let rejected = [
        vec![held, Event::Settling(asked)],
        back(DeathReason::Rejected),
    ]
    .concat();
    law_tells(15, &beginning, &rejected, &back(DeathReason::Length));
}

#[test]
fn what_is_too_old_or_was_delivered_too_often_breaks_law_15() {
    let fading = [vec![named(1, "fading")], filled(1)].concat();
    let at = |now| {
        let ticked = [Event::Ticked(Timestamp(now)), Event::Time(Timestamp(now))];
        [ticked.to_vec(), vec![leased(7, 0)]].concat()
    };
    law_tells(15, &fading, &at(5_000), &at(5_102));
    let mut third = leased(7, 0);
    if let Event::Leased(leased) = &mut third {
        leased.records[0].deliveries = 3;
    }
    let mortal = [vec![named(1, "mortal")], filled(1)].concat();
    law_tells(15, &mortal, &[leased(7, 0)], &[third]);
}

#[test]
fn what_a_full_queue_refuses_is_not_stored_by_law_15() {
    let full = [vec![named(1, "refusing")], filled(4), vec![published(&[5])]].concat();
    let refused = Event::Refused(PublishId(5), Some(AppendError::TooLong));
    let lawful = std::slice::from_ref(&refused);
    law_tells(15, &full, lawful, &[acknowledged(5, 4)]);
    let stored = was_read(0, 5, &[(4, 5)]);
    law_tells(15, &full, lawful, &[refused.clone(), stored]);
    // It may be refused only if there can be that many.
    let empty = [named(1, "burying"), published(&[5])];
    let dead = |refused| {
        let place = Appended {
            partition: PARTITION,
            base: Offset(0),
            start: Offset(0),
            duplicate: false,
            refused,
        };
        [Event::Acknowledged {
            publish: PublishId(5),
            places: vec![place],
            full: Vec::new(),
        }]
    };
    law_tells(15, &empty, &dead(false), &dead(true));
}

#[test]
fn a_queue_that_is_too_long_or_too_short_breaks_law_15() {
    let short = [vec![named(1, "short")], filled(6)].concat();
    let drained = |from: u64| {
        let taken = (from..6).map(|offset| {
            let mut taken = leased(7, offset);
            if let Event::Leased(leased) = &mut taken {
                leased.is_taken = true;
            }
            taken
        });
        let ends = [Event::Drained(LogId(1)), at_rest()];
        [vec![Event::Draining], taken.collect(), ends.to_vec()].concat()
    };
    law_tells(15, &short, &drained(2), &drained(1));
    law_tells(15, &short, &drained(2), &drained(4));
}

#[test]
fn the_reasons_of_a_queue_are_those_that_its_limits_give() {
    let reasons = |name| letters::leaves_by_itself(&letters::config(name).unwrap());
    assert_eq!(reasons("graves"), DeathReasons::NONE);
    assert_eq!(reasons("refusing"), DeathReasons::NONE);
    assert_eq!(reasons("short"), DeathReasons::only(DeathReason::Length));
    assert_eq!(reasons("fading"), DeathReasons::only(DeathReason::Expired));
}
