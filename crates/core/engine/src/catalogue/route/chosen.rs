//! Exchanges that choose one of their bindings by a number, whatever the binding key: `x-random`
//! and `x-local-random` by a random one, `x-modulus-hash` by a hash of the routing key.
//!
//! Each key with which a target is bound counts, so a target that is bound twice is chosen twice as
//! often, as in RabbitMQ.

use crate::BindingTarget;

/// The targets in order, each as often as it is bound.
#[derive(Clone, Debug, Default)]
pub(in crate::catalogue) struct ChosenIndex(Vec<BindingTarget>);

impl ChosenIndex {
    pub(in crate::catalogue) fn insert(&mut self, target: &BindingTarget) {
        let at = self.0.partition_point(|other| other < target);
        self.0.insert(at, target.clone());
    }

    pub(in crate::catalogue) fn remove(&mut self, target: &BindingTarget) {
        if let Ok(at) = self.0.binary_search(target) {
            self.0.remove(at);
        }
    }

    /// The target that a number chooses; `None` if there are no bindings.
    pub(in crate::catalogue) fn at(&self, number: u64) -> Option<&BindingTarget> {
        let at = number.checked_rem(self.0.len() as u64)?;
        self.0.get(usize::try_from(at).ok()?)
    }
}
