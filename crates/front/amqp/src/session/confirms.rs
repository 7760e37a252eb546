//! Tracks which publishes of a channel have been confirmed to its client.
//!
//! Publishes are numbered from 1. Their outcomes may arrive in any order, because queues are on
//! different shards; consecutive outcomes from the oldest publish on are confirmed with one
//! `multiple`.

use std::collections::VecDeque;

use smallvec::SmallVec;
use stele_wire_amqp::method::basic;

/// The publishes of a channel in confirm mode.
#[derive(Debug)]
pub(crate) struct Confirms {
    /// The number of the oldest publish in `states`.
    first: u64,
    states: VecDeque<State>,
    /// Numbers with a known outcome that hasn't been sent.
    untold: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Two outcomes are missing: the message is stored twice, once to be delivered later.
    WaitingForTwo,
    Waiting,
    Known(bool),
    Told,
}

/// A confirm to send.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Confirm {
    Ack(basic::Ack),
    Nack(basic::Nack),
}

impl Confirms {
    pub(crate) fn new() -> Self {
        Self {
            first: 1,
            states: VecDeque::new(),
            untold: Vec::new(),
        }
    }

    /// Numbers the next publish.
    pub(crate) fn next(&mut self) -> u64 {
        self.states.push_back(State::Waiting);
        self.first + self.states.len() as u64 - 1
    }

    /// Expects two outcomes of the last publish: it is accepted if both are.
    pub(crate) fn expect_two(&mut self) {
        if let Some(last) = self.states.back_mut() {
            *last = State::WaitingForTwo;
        }
    }

    /// Records the outcome of a publish.
    pub(crate) fn resolve(&mut self, number: u64, taken: bool) {
        let state = number
            .checked_sub(self.first)
            .and_then(|index| self.states.get_mut(usize::try_from(index).ok()?));
        match state {
            Some(state @ State::WaitingForTwo) if taken => *state = State::Waiting,
            // After the first refusal, the other outcome is ignored.
            Some(state @ (State::WaitingForTwo | State::Waiting)) => {
                *state = State::Known(taken);
                self.untold.push(number);
            }
            Some(State::Known(_) | State::Told) | None => {}
        }
    }

    /// The confirms to send now, in order.
    pub(crate) fn take(&mut self) -> SmallVec<[Confirm; 4]> {
        let mut confirms = SmallVec::new();
        let mut untold = std::mem::take(&mut self.untold);
        self.take_prefix(&mut confirms);
        for number in untold.drain(..).filter(|number| *number >= self.first) {
            let index = (number - self.first) as usize;
            if let Some(state) = self.states.get_mut(index)
                && let State::Known(taken) = *state
            {
                *state = State::Told;
                confirms.push(confirm(number, false, taken));
            }
        }
        // To reuse its allocation.
        self.untold = untold;
        confirms
    }

    /// Takes the known outcomes from the oldest publish on: refusals one by one, then all others up
    /// to the last accepted one with one `multiple`.
    fn take_prefix(&mut self, confirms: &mut SmallVec<[Confirm; 4]>) {
        let mut last = None;
        let mut accepted = 0;
        while let Some(state) = self.states.front().copied() {
            match state {
                State::WaitingForTwo | State::Waiting => break,
                State::Known(true) => {
                    last = Some(self.first);
                    accepted += 1;
                }
                State::Known(false) => confirms.push(confirm(self.first, false, false)),
                State::Told => {}
            }
            self.states.pop_front();
            self.first += 1;
        }
        if let Some(last) = last {
            confirms.push(confirm(last, accepted > 1, true));
        }
    }
}

fn confirm(delivery_tag: u64, multiple: bool, taken: bool) -> Confirm {
    if taken {
        return Confirm::Ack(basic::Ack {
            delivery_tag,
            multiple,
        });
    }
    Confirm::Nack(basic::Nack {
        delivery_tag,
        multiple,
        requeue: false,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn published(count: u64) -> Confirms {
        let mut confirms = Confirms::new();
        for number in 1..=count {
            assert_eq!(confirms.next(), number);
        }
        confirms
    }

    fn ack(tag: u64, multiple: bool) -> Confirm {
        confirm(tag, multiple, true)
    }

    #[test]
    fn what_is_known_in_order_is_told_at_once() {
        let mut confirms = published(5);
        for number in [1, 2, 3] {
            confirms.resolve(number, true);
        }
        assert_eq!(confirms.take()[..], [ack(3, true)]);
        assert!(confirms.take().is_empty());
        confirms.resolve(4, true);
        assert_eq!(confirms.take()[..], [ack(4, false)]);
    }

    #[test]
    fn what_overtakes_is_told_alone_and_once() {
        let mut confirms = published(3);
        confirms.resolve(3, true);
        assert_eq!(confirms.take()[..], [ack(3, false)]);
        confirms.resolve(1, true);
        confirms.resolve(2, true);
        assert_eq!(confirms.take()[..], [ack(2, true)]);
    }

    #[test]
    fn a_refusal_is_told_before_an_acceptance_that_covers_it() {
        let mut confirms = published(3);
        confirms.resolve(1, true);
        confirms.resolve(2, false);
        confirms.resolve(3, true);
        assert_eq!(
            confirms.take()[..],
            [confirm(2, false, false), ack(3, true)]
        );
    }

    #[test]
    fn a_message_that_is_stored_twice_is_accepted_twice_or_refused() {
        let mut confirms = published(1);
        confirms.expect_two();
        assert_eq!(confirms.next(), 2);
        confirms.expect_two();
        confirms.resolve(1, true);
        confirms.resolve(2, false);
        assert_eq!(confirms.take()[..], [confirm(2, false, false)]);
        confirms.resolve(2, true);
        assert!(confirms.take().is_empty());
        confirms.resolve(1, true);
        assert_eq!(confirms.take()[..], [ack(1, false)]);
    }

    /// A client's view of the confirms.
    struct Client {
        open: BTreeSet<u64>,
        told: Vec<Option<bool>>,
    }

    impl Client {
        fn hear(&mut self, confirm: &Confirm) {
            let (tag, multiple, taken) = match confirm {
                Confirm::Ack(ack) => (ack.delivery_tag, ack.multiple, true),
                Confirm::Nack(nack) => (nack.delivery_tag, nack.multiple, false),
            };
            assert!(self.open.contains(&tag), "{tag} told twice");
            let covered = |open: &u64| *open == tag || multiple && *open < tag;
            for tag in self
                .open
                .iter()
                .copied()
                .filter(covered)
                .collect::<Vec<_>>()
            {
                self.open.remove(&tag);
                self.told[tag as usize - 1] = Some(taken);
            }
        }
    }

    proptest! {
        #[test]
        fn every_publish_is_told_once_with_its_own_outcome(
            outcomes in prop::collection::vec(any::<bool>(), 1..40),
            step in 1usize..40,
            takes in prop::collection::vec(any::<bool>(), 40),
        ) {
            let mut confirms = published(outcomes.len() as u64);
            let mut client = Client {
                open: (1..=outcomes.len() as u64).collect(),
                told: vec![None; outcomes.len()],
            };
            let mut order: Vec<usize> = (0..outcomes.len()).collect();
            order.sort_by_key(|index| (index % step, *index));
            for (turn, index) in order.iter().enumerate() {
                confirms.resolve(*index as u64 + 1, outcomes[*index]);
                if takes[turn] || turn + 1 == outcomes.len() {
                    confirms.take().iter().for_each(|confirm| client.hear(confirm));
                }
            }
            let expected: Vec<_> = outcomes.into_iter().map(Some).collect();
            prop_assert_eq!(client.told, expected);
        }
    }
}
