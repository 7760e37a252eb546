//! The order in which a batch is sent, so that no message overtakes a failed one of its key.

use std::collections::{HashMap, VecDeque};

use crate::{Outgoing, TransportError};

/// A batch that is sent in rounds. A round holds the next message of each key, and every message
/// without a key is in the first. What follows a failed message of its key isn't sent.
///
/// For transports whose broker may confirm a message after it has refused one that was sent before
/// it: messages of one key are sent one by one, those of different keys at the same time.
#[derive(Debug)]
pub struct KeyedBatch {
    chains: Vec<VecDeque<usize>>,
    chain_of: Vec<usize>,
    results: Vec<Option<Result<(), TransportError>>>,
}

impl KeyedBatch {
    /// A batch of which nothing is sent yet.
    pub fn new(batch: &[Outgoing]) -> Self {
        let mut chains: Vec<VecDeque<usize>> = Vec::new();
        let mut chain_of = Vec::with_capacity(batch.len());
        let mut by_key = HashMap::new();
        for (index, message) in batch.iter().enumerate() {
            let next = chains.len();
            let chain = match message.key.as_str() {
                "" => next,
                key => *by_key.entry(key).or_insert(next),
            };
            if chain == next {
                chains.push(VecDeque::new());
            }
            chains[chain].push_back(index);
            chain_of.push(chain);
        }
        Self {
            chains,
            chain_of,
            results: vec![None; batch.len()],
        }
    }

    /// The indices of the messages that may be sent now, in order; empty once all are done. Each of
    /// them is to be settled before the next round.
    pub fn next_round(&mut self) -> Vec<usize> {
        let fronts = self.chains.iter_mut().filter_map(VecDeque::pop_front);
        let mut round: Vec<usize> = fronts.collect();
        round.sort_unstable();
        round
    }

    /// Records what came of a message. After a failure, those of its key behind it fail too.
    pub fn settle(&mut self, index: usize, result: Result<(), TransportError>) {
        if result.is_err() {
            for behind in self.chains[self.chain_of[index]].drain(..) {
                self.results[behind] = Some(Err(TransportError::Behind));
            }
        }
        self.results[index] = Some(result);
    }

    /// One result a message, in order. A message that was never settled counts as behind another.
    pub fn into_results(self) -> Vec<Result<(), TransportError>> {
        let results = self.results.into_iter();
        results
            .map(|result| result.unwrap_or(Err(TransportError::Behind)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Destination;

    fn batch(keys: &[&str]) -> Vec<Outgoing> {
        let to = || Destination::Topic("t".to_owned());
        let message = |key: &&str| Outgoing::json(to(), "id", "{}").with_key(*key);
        keys.iter().map(message).collect()
    }

    #[test]
    fn a_round_holds_the_next_of_each_key_and_all_without_a_key() {
        let mut sending = KeyedBatch::new(&batch(&["a", "", "a", "b", "", "a"]));
        let mut rounds = Vec::new();
        loop {
            let round = sending.next_round();
            if round.is_empty() {
                break;
            }
            for index in &round {
                sending.settle(*index, Ok(()));
            }
            rounds.push(round);
        }
        assert_eq!(rounds, [vec![0, 1, 3, 4], vec![2], vec![5]]);
        assert!(sending.into_results().iter().all(Result::is_ok));
    }

    #[test]
    fn what_follows_a_failure_of_its_key_is_not_sent() {
        let mut sending = KeyedBatch::new(&batch(&["a", "b", "a", "b", "a"]));
        assert_eq!(sending.next_round(), [0, 1]);
        sending.settle(0, Err(TransportError::Closed));
        sending.settle(1, Ok(()));
        assert_eq!(sending.next_round(), [3]);
        sending.settle(3, Ok(()));
        assert_eq!(sending.next_round(), [0_usize; 0]);
        let results = sending.into_results();
        assert!(matches!(results[0], Err(TransportError::Closed)));
        assert!(matches!(results[2], Err(TransportError::Behind)));
        assert!(matches!(results[4], Err(TransportError::Behind)));
        assert!(results[1].is_ok() && results[3].is_ok());
    }

    #[test]
    fn an_empty_batch_has_no_rounds() {
        let mut sending = KeyedBatch::new(&[]);
        assert!(sending.next_round().is_empty());
        assert!(sending.into_results().is_empty());
    }
}
