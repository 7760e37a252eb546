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
fn what_is_larger_than_the_pool_gets_through_alone() {
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
