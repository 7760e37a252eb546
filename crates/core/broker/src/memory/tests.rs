use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::*;

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

/// An account whose pool for responses has 1,200 bytes.
fn memory() -> Memory {
    Memory::new(10_000)
}

fn taken(memory: &Memory, bytes: usize) -> Share {
    match poll(&mut Box::pin(memory.take(Kind::Responses, bytes))) {
        Poll::Ready(share) => share,
        Poll::Pending => panic!("there is no room"),
    }
}

fn used(memory: &Memory) -> usize {
    memory.uses().map(|it| it.used_bytes).sum()
}

#[test]
fn what_fits_is_granted_at_once_and_given_back() {
    let memory = memory();
    let share = taken(&memory, 1_200);
    assert!(memory.try_take(Kind::Responses, 1).is_none());
    assert!(memory.try_take(Kind::Requests, 1_400).is_some());
    drop(share);
    assert!(memory.try_take(Kind::Responses, 1_200).is_some());
    assert_eq!(used(&memory), 0);
}

#[test]
fn what_is_larger_than_the_pool_keeps_others_waiting() {
    let memory = memory();
    let huge = taken(&memory, 1_000_000);
    assert!(poll(&mut Box::pin(memory.take(Kind::Responses, 1))).is_pending());
    drop(huge);
    assert!(poll(&mut Box::pin(memory.take(Kind::Responses, 1))).is_ready());
}

#[test]
fn who_waits_is_not_overtaken() {
    let memory = memory();
    let first = taken(&memory, 1_000);
    let mut large = Box::pin(memory.take(Kind::Responses, 900));
    assert!(poll(&mut large).is_pending());
    assert!(memory.try_take(Kind::Responses, 100).is_none());
    let mut small = Box::pin(memory.take(Kind::Responses, 400));
    assert!(poll(&mut small).is_pending());
    drop(first);
    let Poll::Ready(large) = poll(&mut large) else {
        panic!("it fits now");
    };
    assert!(poll(&mut small).is_pending());
    drop(large);
    assert!(poll(&mut small).is_ready());
}

#[test]
fn who_gives_up_makes_room_for_those_behind() {
    let memory = memory();
    let _held = taken(&memory, 1_000);
    let mut large = Box::pin(memory.take(Kind::Responses, 900));
    assert!(poll(&mut large).is_pending());
    let mut small = Box::pin(memory.take(Kind::Responses, 200));
    assert!(poll(&mut small).is_pending());
    drop(large);
    assert!(poll(&mut small).is_ready());
}

#[test]
fn a_share_that_is_granted_and_not_taken_is_given_back() {
    let memory = memory();
    let held = taken(&memory, 1_200);
    let mut granted = Box::pin(memory.take(Kind::Responses, 1_200));
    assert!(poll(&mut granted).is_pending());
    drop(held);
    drop(granted);
    assert_eq!(used(&memory), 0);
}

#[test]
fn pressure_is_told_while_somebody_waits() {
    let memory = memory();
    let held = taken(&memory, 1_200);
    let mut pressed = Box::pin(memory.pressed(Kind::Responses));
    assert!(poll(&mut pressed).is_pending());
    let mut waiting = Box::pin(memory.take(Kind::Responses, 1));
    assert!(poll(&mut waiting).is_pending());
    assert!(poll(&mut pressed).is_ready());
    drop(held);
    drop(waiting);
    let mut pressed = Box::pin(memory.pressed(Kind::Responses));
    assert!(poll(&mut pressed).is_pending());
    let noted = memory.note(Kind::Responses, 1_201);
    assert!(poll(&mut pressed).is_ready());
    drop(noted);
    assert!(poll(&mut Box::pin(memory.pressed(Kind::Responses))).is_pending());
}

#[test]
fn shares_are_divided_and_grow() {
    let memory = memory();
    let mut share = memory.try_take(Kind::Requests, 1_000).unwrap();
    let rest = share.split_off(300);
    assert_eq!((share.bytes(), rest.bytes()), (300, 700));
    assert!(share.try_grow(400));
    assert!(!share.try_grow(1));
    share.grow(50);
    assert_eq!(used(&memory), 1_450);
    drop(rest);
    share.shrink_to(10);
    assert_eq!(used(&memory), 10);
}

#[test]
fn charged_bytes_keep_their_share_while_any_of_them_is_kept() {
    let memory = memory();
    let share = memory.try_take(Kind::Opened, 5).unwrap();
    let bytes = charged(Bytes::from_static(b"abcde"), share);
    let part = bytes.slice(1..2);
    drop(bytes);
    assert_eq!(used(&memory), 5);
    drop(part);
    assert_eq!(used(&memory), 0);
}

#[test]
fn a_response_never_takes_all_that_is_free() {
    let memory = Memory::new(1_000_000_000);
    let mut held = Vec::new();
    for _ in 0..1_000 {
        let bytes = memory.response_bytes_max();
        held.extend(memory.try_take(Memory::kind_of_response(bytes), bytes));
    }
    assert!(memory.response_bytes_max() >= SMALL_RESPONSE_BYTES_MAX);
    let uses: Vec<_> = memory.uses().collect();
    assert!(uses.iter().all(|it| it.used_bytes <= it.max_bytes));
}

#[test]
fn the_kinds_together_stay_below_the_ceiling() {
    let memory = Memory::new(1_000_000);
    assert!(memory.uses().map(|it| it.max_bytes).sum::<usize>() <= 700_000);
}

#[test]
fn what_goes_to_a_slow_disk_is_kept_small() {
    let memory = Memory::new(100_000);
    let _some = memory.try_take(Kind::Publishes, 3_000);
    assert!(memory.try_take(Kind::Publishes, 3_000).is_some());
    memory.keep_waiting_to(ShardId(0), 5_000);
    assert!(memory.try_take(Kind::Publishes, 3_000).is_none());
    assert!(memory.try_take(Kind::Responses, 3_000).is_some());
    // Of several disks the slowest counts, and none makes a pool larger than it is.
    memory.keep_waiting_to(ShardId(1), 100_000);
    let mut asked = Box::pin(memory.take(Kind::Publishes, 5_000));
    assert!(poll(&mut asked).is_pending());
    memory.keep_waiting_to(ShardId(0), 100_000);
    assert!(poll(&mut asked).is_ready());
    assert!(memory.try_take(Kind::Publishes, 6_000).is_none());
}

/// A share of a pool's size and more.
fn large(memory: &Memory, kind: Kind) -> usize {
    memory.max_bytes(kind) + 1
}

fn over(memory: &Memory) -> usize {
    let over = memory
        .uses()
        .map(|it| it.used_bytes.saturating_sub(it.max_bytes));
    over.sum()
}

#[test]
fn one_client_at_a_time_has_what_is_larger_than_its_pool_whatever_the_pool() {
    let memory = memory();
    let kinds = [
        Kind::Responses,
        Kind::LateRequests,
        Kind::Opened,
        Kind::Appends,
    ];
    let clients = kinds.map(|kind| (memory.for_client(), kind));
    let mut asked = Vec::new();
    for (client, kind) in &clients {
        asked.push(Box::pin(client.take(*kind, large(&memory, *kind) + 99)));
    }
    // In order of arrival.
    for mut asked in asked {
        let Poll::Ready(share) = poll(&mut asked) else {
            panic!("nobody else has one");
        };
        assert_eq!(over(&memory), 100);
        for (client, kind) in &clients {
            assert!(client.try_take(*kind, large(&memory, *kind)).is_none());
        }
        drop(share);
    }
    assert_eq!(used(&memory), 0);
}

#[test]
fn those_who_wait_for_a_large_share_get_it_in_order_and_hold_up_no_small_one() {
    let memory = memory();
    let [first, second, third] = [(); 3].map(|()| memory.for_client());
    let held = first.try_take(Kind::LateRequests, 2_000);
    let mut asked = [
        Box::pin(second.take(Kind::Responses, 2_000)),
        Box::pin(third.take(Kind::LateRequests, 2_000)),
    ];
    for asked in &mut asked {
        assert!(poll(asked).is_pending());
    }
    assert!(memory.try_take(Kind::Responses, 1_200).is_some());
    drop(held);
    let Poll::Ready(share) = poll(&mut asked[0]) else {
        panic!("it comes first");
    };
    assert!(poll(&mut asked[1]).is_pending());
    assert!(first.try_take(Kind::LateRequests, 2_000).is_none());
    drop(share);
    assert!(poll(&mut asked[1]).is_ready());
}

#[test]
fn whoever_has_a_large_share_goes_on_through_the_other_pools() {
    let memory = memory();
    let [producer, other] = [(); 2].map(|()| memory.for_client());
    let received = producer.try_take(Kind::LateRequests, 2_000).unwrap();
    let mut waiting = Box::pin(other.take(Kind::Opened, 2_000));
    assert!(poll(&mut waiting).is_pending());
    let opened = producer.try_take(Kind::Opened, 2_000).unwrap();
    drop(opened);
    let appended = producer.try_take(Kind::Appends, 2_000).unwrap();
    drop(received);
    assert!(poll(&mut waiting).is_pending());
    // What it receives next comes after those who wait.
    let mut next = Box::pin(producer.take(Kind::LateRequests, 2_000));
    assert!(poll(&mut next).is_pending());
    drop(appended);
    let Poll::Ready(opened) = poll(&mut waiting) else {
        panic!("the producer has none");
    };
    assert!(poll(&mut next).is_pending());
    drop(opened);
    assert!(poll(&mut next).is_ready());
}

#[test]
fn whoever_has_a_large_share_and_stands_aside_keeps_it() {
    let memory = memory();
    let [waiting, reader, publisher] = [(); 3].map(|()| memory.for_client());
    let mut kept = waiting.note(Kind::Publishes, 10);
    kept.merge(waiting.try_take(Kind::LateRequests, 2_000).unwrap());
    let mut asked = Box::pin(reader.take(Kind::Responses, 2_000));
    assert!(poll(&mut asked).is_pending());
    // A small share of the same pool isn't the large one.
    memory.note(Kind::LateRequests, 10).stand_aside();
    assert!(poll(&mut asked).is_pending());
    kept.stand_aside();
    let Poll::Ready(read) = poll(&mut asked) else {
        panic!("nobody has one");
    };
    // Its own pool has nothing to give, which holds up nobody else.
    let mut next = Box::pin(publisher.take(Kind::LateRequests, 2_000));
    drop(read);
    assert!(poll(&mut next).is_pending());
    assert!(reader.try_take(Kind::Responses, 2_000).is_some());
    drop(kept);
    assert!(poll(&mut next).is_ready());
    drop(next);
    assert_eq!(used(&memory), 0);
}

#[test]
fn a_large_share_comes_beside_small_ones_and_before_them_where_it_is_returned() {
    let memory = memory();
    let small = taken(&memory, 1_000);
    let share = memory.try_take(Kind::Responses, 2_000).unwrap();
    let mut next = Box::pin(memory.take(Kind::Responses, 200));
    assert!(poll(&mut next).is_pending());
    drop(share);
    assert!(poll(&mut next).is_ready());
    drop((small, next));
    assert_eq!(used(&memory), 0);
}

#[test]
fn a_large_share_that_nobody_waits_for_any_more_goes_to_the_next() {
    let memory = memory();
    let [first, second, third] = [(); 3].map(|()| memory.for_client());
    let held = first.try_take(Kind::Responses, 2_000);
    let mut gone = Box::pin(second.take(Kind::Opened, 2_000));
    let mut next = Box::pin(third.take(Kind::Appends, 2_000));
    assert!(poll(&mut gone).is_pending());
    assert!(poll(&mut next).is_pending());
    assert_eq!(memory.uses().map(|it| it.waiting).sum::<usize>(), 2);
    drop(held);
    // It was granted, and nobody took it.
    drop(gone);
    assert!(poll(&mut next).is_ready());
    drop(next);
    assert_eq!(used(&memory), 0);
}

#[test]
fn work_that_is_larger_than_its_pool_has_it_to_itself_in_its_turn() {
    let memory = memory();
    let [uploader, first, second] = [(); 3].map(|()| memory.for_client());
    let upload = uploader.try_take(Kind::LateRequests, 2_000);
    let small = memory.try_take(Kind::Opened, 100);
    let mut large = [
        Box::pin(first.take(Kind::Opened, 2_000)),
        Box::pin(second.take(Kind::Opened, 2_000)),
    ];
    assert!(large.iter_mut().all(|asked| poll(asked).is_pending()));
    // An upload may take its time, and holds up no small work.
    assert!(memory.try_take(Kind::Opened, 100).is_some());
    drop(upload);
    assert!(memory.try_take(Kind::Opened, 100).is_none());
    let mut next = Box::pin(memory.take(Kind::Opened, 100));
    assert!(poll(&mut next).is_pending());
    assert!(uploader.try_take(Kind::LateRequests, 2_000).is_none());
    drop(small);
    let Poll::Ready(opened) = poll(&mut large[0]) else {
        panic!("its pool is unused");
    };
    assert!(poll(&mut large[1]).is_pending() && poll(&mut next).is_pending());
    drop(opened);
    let Poll::Ready(small) = poll(&mut next) else {
        panic!("it has waited, too");
    };
    assert!(poll(&mut large[1]).is_pending());
    drop(small);
    assert!(poll(&mut large[1]).is_ready());
}

#[test]
fn a_pool_of_work_goes_on_when_nobody_waits_for_all_of_it() {
    let memory = memory();
    let small = memory.try_take(Kind::Opened, 100);
    let mut large = Box::pin(memory.take(Kind::Opened, 2_000));
    assert!(poll(&mut large).is_pending());
    let mut next = Box::pin(memory.take(Kind::Opened, 100));
    assert!(poll(&mut next).is_pending());
    drop(large);
    assert!(poll(&mut next).is_ready());
    // Whoever only tries doesn't wait.
    assert!(memory.try_take(Kind::Opened, 2_000).is_none());
    assert!(memory.try_take(Kind::Opened, 100).is_some());
    drop((small, next));
    assert_eq!(used(&memory), 0);
}
