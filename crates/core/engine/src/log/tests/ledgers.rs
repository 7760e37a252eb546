//! Named ledgers, offsets without a message, and records held back by groups.

use stele_base_types::{Name, ShardId};

use super::*;
use crate::{
    CloseLedger, CommitOffset, CommitOffsets, DeleteGroup, DeleteOffsets, DescribeGroup,
    FetchOffsets, Holder, JoinGroup, LeaveGroup, LedgerConfig, LedgerStart, LinkCommand,
    LinkRecord, OpenLedger, OpenLedgerError, Record, Skip, SyncGroup, Topology, Window,
    limits::{LEDGERS_MAX, SWEEP_MAX},
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn named(text: &str, start: LedgerStart) -> OpenLedger {
    OpenLedger {
        log: LOG,
        name: name(text),
        config: LedgerConfig::default(),
        start,
    }
}

fn of(ledger: LedgerId, request: LeaseRequest) -> LeaseRequest {
    LeaseRequest { ledger, ..request }
}

fn part(index: u32) -> PartitionId {
    PartitionId::new(LOG, PartitionIndex(index))
}

/// Settles records of a ledger.
fn settle_of(shard: &mut Shard, ledger: LedgerId, offsets: std::ops::Range<u64>) {
    let items = offsets.map(|offset| SettleItem {
        partition: PartitionIndex(0),
        offset: Offset(offset),
        lease: None,
    });
    let settle = Settle {
        log: LOG,
        ledger,
        items: items.collect(),
        outcome: Outcome::Done,
        durable: false,
    };
    shard.run(settle).unwrap();
}

#[test]
fn a_named_ledger_has_its_own_start_and_its_own_leases() {
    let mut shard = Shard::with(LogConfig {
        partitions: 2,
        ..queue_config()
    });
    shard.append_many(6);
    let early = shard.run(named("early", LedgerStart::Earliest)).unwrap();
    let late = shard.run(named("late", LedgerStart::Latest)).unwrap();
    let at = LedgerStart::At(vec![(PartitionIndex(1), Offset(2))]);
    let middle = shard.run(named("middle", at)).unwrap();
    shard.append_many(1);
    assert_eq!(shard.lease(of(late, request(1, 10))), [(0, 3)]);
    let all = [(0, 0), (0, 1), (0, 2), (0, 3)];
    let of_middle = [&all[..], &[(1, 2)]].concat();
    assert_eq!(shard.lease(of(middle, request(1, 10))), of_middle);
    let all = [&all[..], &[(1, 0), (1, 1), (1, 2)]].concat();
    assert_eq!(shard.lease(of(early, request(1, 10))), all);
    assert_eq!(shard.lease(request(1, 10)), all, "the queue's own");
}

#[test]
fn a_named_ledger_outlives_restarts_and_keeps_its_configuration() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(2);
    let hidden = LedgerConfig {
        delay_ms: 50,
        ..LedgerConfig::default()
    };
    let open = OpenLedger {
        config: hidden,
        ..named("slow", LedgerStart::Latest)
    };
    let slow = shard.run(open.clone()).unwrap();
    // The log's own configuration only affects the queue.
    let queue = LogConfig {
        partitions: 2,
        queue: Some(LedgerConfig {
            expiry_ms: Some(9_000),
            ..LedgerConfig::default()
        }),
        ..queue_config()
    };
    shard.open(LOG, queue).unwrap();
    shard.append_many(2);
    shard.restart();
    assert_eq!(shard.run(open), Ok(slow), "it is there already");
    assert_eq!(shard.lease(of(slow, request(1, 10))), []);
    shard.pass(50);
    assert_eq!(shard.lease(of(slow, request(1, 10))).len(), 2);
}

#[test]
fn a_ledger_that_is_closed_tells_who_waits_and_never_comes_back() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(3);
    let first = shard.run(named("it", LedgerStart::Earliest)).unwrap();
    let other = shard.run(named("other", LedgerStart::Earliest)).unwrap();
    shard.lease(of(first, request(1, 2)));
    shard.lease(of(first, request(2, 1)));
    let waiting = LeaseRequest {
        wait_ms: Some(500),
        ..request(3, 1)
    };
    shard.wait(of(first, waiting), 7);
    let close = CloseLedger {
        log: LOG,
        name: name("it"),
    };
    shard.run(close.clone()).unwrap();
    assert_eq!(shard.run(close), Err(LogError::NoSuchLedger));
    let refused = shard.ask(of(first, request(1, 1)), 0);
    assert_eq!(refused.unwrap_err(), LogError::NoSuchLedger);
    shard.effects.clear();
    // A session that ends meanwhile must cope with the remains.
    let ended = shard.state.session_closed(SessionId(1));
    shard.carry_out(ended);
    while shard.state.logs.has_leavings() {
        let step = shard.state.clean_up(shard.now);
        shard.carry_out(step);
    }
    for _ in 0..3 {
        let step = shard.state.sweep();
        shard.carry_out(step);
    }
    assert!(!shard.state.logs.has_closing());
    let told = shard.effects.pop();
    assert!(matches!(
        told,
        Some(Effect::Leased(Token(7), Err(LogError::NoSuchLedger)))
    ));
    assert_eq!(shard.state.next_deadline(), None);
    let again = shard.run(named("it", LedgerStart::Earliest)).unwrap();
    assert!(again > other, "an id is given once");
    assert_eq!(shard.lease(of(again, request(1, 9))).len(), 3);
}

#[test]
fn a_log_that_is_closed_takes_with_it_what_its_ledgers_left() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(SWEEP_MAX + 10);
    let ledger = shard.run(named("it", LedgerStart::Earliest)).unwrap();
    for _ in 0..2 {
        shard.lease(of(ledger, request(1, SWEEP_MAX as u32)));
    }
    let close = CloseLedger {
        log: LOG,
        name: name("it"),
    };
    shard.run(close).unwrap();
    let step = shard.state.sweep();
    shard.carry_out(step);
    assert!(shard.state.logs.has_closing());
    shard.delete(DeleteLog::anyway(LOG)).unwrap();
    while shard.state.logs.has_closing() {
        let step = shard.state.sweep();
        shard.carry_out(step);
    }
    let ended = shard.state.session_closed(SessionId(1));
    assert!(ended.is_nothing(), "nothing is held");
}

#[test]
fn what_a_ledger_can_not_be_is_refused() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(1);
    shard.run(named("it", LedgerStart::Latest)).unwrap();
    let fifo = OpenLedger {
        config: LedgerConfig {
            fifo: true,
            ..LedgerConfig::default()
        },
        ..named("it", LedgerStart::Latest)
    };
    let refused = shard.run(fifo);
    assert!(matches!(refused, Err(OpenLedgerError::Contradiction(_))));
    let at = |index, offset| LedgerStart::At(vec![(PartitionIndex(index), Offset(offset))]);
    let beyond = shard.run(named("b", at(0, 2)));
    assert!(matches!(
        beyond,
        Err(OpenLedgerError::Log(LogError::OffsetOutOfRange { .. }))
    ));
    let nowhere = shard.run(named("b", at(1, 0)));
    assert_eq!(
        nowhere,
        Err(OpenLedgerError::Log(LogError::NoSuchPartition))
    );
    for number in 2..LEDGERS_MAX {
        let name = number.to_string();
        shard.run(named(&name, LedgerStart::Latest)).unwrap();
    }
    let refused = shard.run(named("one more", LedgerStart::Latest));
    assert_eq!(refused, Err(OpenLedgerError::TooMany));
}

fn control() -> Append {
    Append {
        columns: Columns::of_control(),
        ..record()
    }
}

#[test]
fn a_control_batch_is_no_message() {
    for config in [queue_config(), fifo_config()] {
        let mut shard = Shard::with(config);
        shard.append_only(record()).unwrap();
        shard.append_only(control()).unwrap();
        shard.append_only(record()).unwrap();
        assert_eq!(shard.counts(), (0, 0, 0), "nothing is shown yet");
        let partition = part(0);
        for (end, ready) in [(1, 1), (2, 1), (3, 2)] {
            let shown = shard.state.committed(&[(partition, Offset(end))]);
            shard.carry_out(shown);
            assert_eq!(shard.counts(), (ready, 0, 0), "up to {end}");
        }
        shard.restart();
        assert_eq!(shard.lease(request(1, 10)), [(0, 0), (0, 2)]);
        shard.settle(&[(0, 0), (0, 2)], Outcome::Done);
        let kept = shard
            .state
            .logs
            .keep_from(partition, Offset::ZERO, Offset::ZERO);
        assert_eq!(kept, Offset(3));
    }
}

#[test]
fn what_is_skipped_is_through_for_every_ledger() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(5);
    let other = shard.run(named("other", LedgerStart::Earliest)).unwrap();
    assert_eq!(shard.lease(request(1, 2)), [(0, 0), (0, 1)]);
    let skip = Skip {
        log: LOG,
        run: Run {
            partition: PartitionIndex(0),
            first: Offset(1),
            count: 2,
        },
    };
    shard.run(skip).unwrap();
    assert_eq!(shard.counts(), (2, 1, 0));
    let rest = [(0, 0), (0, 3), (0, 4)];
    assert_eq!(shard.lease(of(other, request(1, 9))), rest);
    let again = skip.decide(&shard.state, shard.now).unwrap();
    assert!(again.is_nothing());
}

fn commit(offset: u64) -> CommitOffsets {
    CommitOffsets {
        group: name("readers"),
        member: "".into(),
        instance: None,
        generation: -1,
        offsets: vec![CommitOffset {
            partition: part(0),
            offset: Offset(offset),
            leader_epoch: -1,
            metadata: "".into(),
        }],
    }
}

#[test]
fn a_queue_keeps_what_a_ledger_or_a_group_has_not_passed() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(10);
    let kept = |shard: &Shard, held_from| {
        let logs = &shard.state.logs;
        logs.keep_from(part(0), Offset::ZERO, Offset(held_from)).0
    };
    settle_of(&mut shard, LedgerId::DEFAULT, 0..9);
    assert_eq!(kept(&shard, 0), 9);
    shard.run(commit(4)).unwrap();
    assert_eq!(kept(&shard, 0), 4);
    assert_eq!(kept(&shard, 6), 6, "for so long and no longer");
    assert_eq!(kept(&shard, 10), 9, "what a ledger needs stays");
    let trim = Trim {
        partition: part(0),
        to: Offset(9),
        reason: trim_reason(false),
    };
    assert_eq!(shard.run(trim), Ok(Offset(4)));
    shard.restart();
    assert_eq!(kept(&shard, 0), 4);
    let ledger = shard.run(named("it", LedgerStart::Earliest)).unwrap();
    shard.run(commit(7)).unwrap();
    assert_eq!(kept(&shard, 0), 4);
    settle_of(&mut shard, ledger, 4..8);
    assert_eq!(kept(&shard, 0), 7);
    let forget = DeleteOffsets {
        group: name("readers"),
        partitions: vec![part(0)],
    };
    shard.run(forget).unwrap();
    assert_eq!(kept(&shard, 0), 8);
    shard.run(commit(2)).unwrap();
    let delete = DeleteGroup {
        group: name("readers"),
    };
    shard.run(delete).unwrap();
    assert_eq!(kept(&shard, 0), 8);
}

/// Has a member join the group alone, and assigns it these partitions.
fn assign(shard: &mut Shard, member: &str, reads: Vec<PartitionId>) {
    let former = DescribeGroup {
        group: name("readers"),
    };
    let is_new = shard.run(former).map_or(true, |it| it.members.is_empty());
    let join = JoinGroup {
        group: name("readers"),
        member: if is_new { "".into() } else { member.into() },
        member_new: member.into(),
        instance: None,
        client_id: "client".into(),
        client_host: "host".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Box::default())],
        member_id_required: false,
        gathering_ms: 0,
    };
    let joined = join.decide(Token(1), &shard.state, shard.now).unwrap();
    shard.carry_out(joined);
    let formed = shard.state.tick(shard.now);
    shard.carry_out(formed);
    let generation = match shard.effects.pop() {
        Some(Effect::Joined(_, Ok(joined))) => joined.generation,
        other => panic!("{other:?}"),
    };
    let sync = SyncGroup {
        group: name("readers"),
        member: member.into(),
        instance: None,
        generation,
        protocol_type: None,
        protocol: None,
        assignments: Vec::new(),
        reads,
    };
    let synced = sync.decide(Token(2), &shard.state, shard.now).unwrap();
    shard.carry_out(synced);
}

/// Lets a minute pass without any heartbeat.
fn leave_alone(shard: &mut Shard) {
    let until = shard.now.plus_ms(60_000);
    while let Some(due) = shard
        .state
        .groups
        .next_deadline()
        .filter(|due| *due <= until)
    {
        shard.now = shard.now.max(due);
        let step = shard.state.tick(shard.now);
        shard.carry_out(step);
    }
    shard.now = until;
}

#[test]
fn a_group_holds_what_it_is_assigned_before_it_has_committed_anything() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(10);
    let kept = |shard: &Shard, held_from| {
        let logs = &shard.state.logs;
        logs.keep_from(part(0), Offset::ZERO, Offset(held_from)).0
    };
    assign(&mut shard, "a", vec![part(0)]);
    settle_of(&mut shard, LedgerId::DEFAULT, 0..9);
    assert_eq!(kept(&shard, 0), 0);
    assert_eq!(kept(&shard, 6), 6, "for so long and no longer");
    shard.restart();
    assert_eq!(kept(&shard, 0), 0);
    let offsets = FetchOffsets {
        group: name("readers"),
        partitions: None,
    };
    assert_eq!(shard.run(offsets).unwrap(), [], "nothing is committed");
    leave_alone(&mut shard);
    assert_eq!(kept(&shard, 0), 0, "its members may come back");
    shard.run(commit(4)).unwrap();
    assert_eq!(kept(&shard, 0), 4);
    assign(&mut shard, "b", vec![part(0)]);
    assert_eq!(kept(&shard, 0), 4);
}

#[test]
fn a_group_holds_nothing_of_what_it_is_no_longer_assigned_and_never_committed() {
    let mut shard = Shard::with(queue_config());
    shard.append_many(10);
    let kept = |shard: &Shard| {
        let logs = &shard.state.logs;
        logs.keep_from(part(0), Offset::ZERO, Offset::ZERO).0
    };
    settle_of(&mut shard, LedgerId::DEFAULT, 0..9);
    assign(&mut shard, "a", vec![part(0)]);
    assert_eq!(kept(&shard), 0);
    assign(&mut shard, "a", Vec::new());
    assert_eq!(kept(&shard), 9);
    assign(&mut shard, "a", vec![part(0)]);
    let leave = LeaveGroup {
        group: name("readers"),
        members: vec![("a".into(), None)],
    };
    shard.run(leave).unwrap();
    leave_alone(&mut shard);
    let delete = DeleteGroup {
        group: name("readers"),
    };
    shard.run(delete).unwrap();
    assert_eq!(kept(&shard), 9);
}

#[test]
fn who_keeps_the_oldest_record_is_told() {
    let window = Some(Window::default());
    let mut shard = Shard::with(LogConfig {
        retention: Retention {
            window,
            ..Retention::QUEUE
        },
        ..queue_config()
    });
    let holders = |shard: &Shard, window, held_from| {
        let logs = &shard.state.logs;
        logs.holders(part(0), Offset(window), Offset(held_from))
    };
    assert_eq!(holders(&shard, 0, 0), [], "there is none");
    shard.append_many(3);
    shard.run(commit(0)).unwrap();
    shard.run(named("it", LedgerStart::Latest)).unwrap();
    let (queue, group) = (Holder::Queue, Holder::Group(name("readers")));
    let all = [Holder::Window, queue.clone(), group.clone()];
    assert_eq!(holders(&shard, 0, 0), all);
    assert_eq!(holders(&shard, 1, 0), [queue.clone(), group.clone()]);
    assert_eq!(holders(&shard, 1, 1), [queue]);
    settle_of(&mut shard, LedgerId::DEFAULT, 0..1);
    assert_eq!(holders(&shard, 1, 0), [group]);
    shard.run(commit(1)).unwrap();
    assert_eq!(holders(&shard, 1, 0), [], "it goes next");
    assert_eq!(holders(&shard, 0, 0), [Holder::Window]);
}

#[test]
fn a_group_holds_partitions_that_are_added_until_it_ends() {
    let mut shard = Shard::with(queue_config());
    shard.run(commit(0)).unwrap();
    let partitions = 3;
    let wider = LogConfig {
        partitions,
        ..queue_config()
    };
    shard.open(LOG, wider).unwrap();
    let to_added = Append {
        targets: [AppendTarget {
            log: LOG,
            partition: Some(PartitionIndex(2)),
        }]
        .into_iter()
        .collect(),
        ..record()
    };
    shard.append(to_added);
    assert_eq!(shard.lease(request(1, 9)), [(2, 0)]);
    let settle = Settle {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        items: [SettleItem {
            partition: PartitionIndex(2),
            offset: Offset(0),
            lease: None,
        }]
        .into_iter()
        .collect(),
        outcome: Outcome::Done,
        durable: true,
    };
    shard.run(settle).unwrap();
    let kept = |shard: &Shard| {
        let logs = &shard.state.logs;
        logs.keep_from(part(2), Offset::ZERO, Offset::ZERO).0
    };
    assert_eq!(kept(&shard), 0);
    shard.restart();
    assert_eq!(kept(&shard), 0);
    let delete = DeleteGroup {
        group: name("readers"),
    };
    shard.run(delete).unwrap();
    assert_eq!(kept(&shard), 1);
    assert!(!shard.state.logs.log(LOG).unwrap().has_cursors());
}

#[test]
fn a_topic_keeps_nothing_for_groups() {
    let mut shard = Shard::with(LogConfig {
        retention: Retention {
            until_acknowledged: false,
            window: None,
        },
        ..queue_config()
    });
    shard.append_many(3);
    shard.run(commit(1)).unwrap();
    let kept = shard
        .state
        .logs
        .keep_from(part(0), Offset::ZERO, Offset::ZERO);
    assert_eq!(kept, Offset(3));
}

#[test]
fn a_group_of_another_shard_tells_the_logs_own() {
    let mut shard = Shard::default();
    shard.state.set_topology(Topology {
        own: ShardId(0),
        shards: 2,
    });
    let decided = commit(4).decide(&shard.state, shard.now).unwrap();
    let sent = decided.records.iter().find_map(|record| match record {
        Record::Link(LinkRecord::Sent { to, command }) => Some((*to, command.clone())),
        _ => None,
    });
    let expected = LinkCommand::MoveCursor {
        log: LOG,
        group: name("readers"),
        moves: vec![(PartitionIndex(0), Some(Offset(4)))],
    };
    assert_eq!(sent, Some((ShardId(1), expected)));
}
