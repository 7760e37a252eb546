use super::*;
use crate::event::{Wait, WaitId};

fn waiting(past: Option<u64>) -> Event {
    let wait = Wait {
        log: PARTITION.log,
        past: past.map(|past| (PARTITION.index, Offset(past))),
    };
    Event::Waiting(WaitId::Watch(1), wait)
}

const ENDED: Event = Event::WaitEnded(WaitId::Watch(1));
const TICKED: Event = Event::Ticked(Timestamp(1));
const LATER: Event = Event::Time(Timestamp(2));

#[test]
fn a_wait_that_outlives_its_log_breaks_law_14() {
    for past in [None, Some(0)] {
        let beginning = [queue(), waiting(past), Event::Deleting(PARTITION.log)];
        let deleted = Event::Deleted(PARTITION.log);
        let lawful = [deleted.clone(), LATER, TICKED, ENDED, LATER];
        law_tells(14, &beginning, &lawful, &[deleted, TICKED, LATER, ENDED]);
    }
}

#[test]
fn a_wait_for_what_is_there_breaks_law_14() {
    let beginning = [vec![queue()], filled(3), vec![waiting(Some(2))]].concat();
    let one_less = was_read(0, 2, &[(0, 1), (1, 2)]);
    let all = was_read(0, 3, &[(0, 1), (1, 2), (2, 3)]);
    law_tells(
        14,
        &beginning,
        &[one_less, TICKED, LATER],
        &[all, TICKED, LATER],
    );
}
