//! Places in a partition: a record's offset and an event in it, as one number.

use crate::limits::APPEND_EVENTS_MAX;

/// More than a record has events.
const EVENTS: u64 = 1024;

const _: () = assert!(APPEND_EVENTS_MAX < EVENTS as usize);

/// Before the event of this index in the record at an offset.
pub(super) fn before(offset: u64, index: usize) -> u64 {
    offset * EVENTS + index as u64
}

/// Behind it, if the record has this many events. Behind the last one is before the next record.
pub(super) fn behind(offset: u64, index: usize, count: usize) -> u64 {
    if index + 1 < count {
        before(offset, index + 1)
    } else {
        before(offset + 1, 0)
    }
}

/// The offset of a place, and the index of the event in the record there.
pub(super) fn split(place: u64) -> (u64, usize) {
    (place / EVENTS, (place % EVENTS) as usize)
}
