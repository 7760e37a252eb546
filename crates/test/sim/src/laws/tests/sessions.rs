//! What sessions publish.

use super::*;

const SESSION: SessionId = SessionId(7);

fn by_session(publish: u64) -> [Event; 3] {
    let id = PublishId(publish);
    [
        published(&[publish]),
        Event::BySession(SESSION, id),
        Event::Unanswered(id),
    ]
}

#[test]
fn a_refusal_of_a_sessions_publish_without_space_breaks_law_1() {
    let beginning = [&[queue()][..], &by_session(1), &by_session(2)].concat();
    law_tells(1, &beginning, &[], &[Event::NoSpace(PublishId(2))]);
}

#[test]
fn what_a_session_sent_in_another_order_breaks_law_3() {
    let beginning = [&[queue()][..], &by_session(1), &by_session(2)].concat();
    let found = |first, second| Event::Read(read(0, 2, &[(0, first), (1, second)]));
    law_tells(3, &beginning, &[found(1, 2)], &[found(2, 1)]);
}
