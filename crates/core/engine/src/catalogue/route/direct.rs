//! The direct exchange: the binding key equals the routing key.

use hashbrown::HashMap;
use smallvec::SmallVec;
use stele_base_types::Name;

use crate::BindingTarget;

/// Targets by key.
#[derive(Clone, Debug, Default)]
pub(in crate::catalogue) struct DirectIndex {
    by_key: HashMap<Name, Targets>,
}

/// A sorted set of targets. Most have one, which is stored inline.
#[derive(Clone, Debug, Default)]
pub(in crate::catalogue) struct Targets(SmallVec<[BindingTarget; 1]>);

impl DirectIndex {
    pub(in crate::catalogue) fn insert(&mut self, key: &Name, target: &BindingTarget) {
        self.by_key.entry_ref(key).or_default().insert(target);
    }

    pub(in crate::catalogue) fn remove(&mut self, key: &str, target: &BindingTarget) {
        if let Some(targets) = self.by_key.get_mut(key) {
            targets.remove(target);
            if targets.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    /// The targets bound with this key.
    pub(in crate::catalogue) fn matching(&self, key: &str) -> &[BindingTarget] {
        self.by_key.get(key).map_or(&[], Targets::as_slice)
    }
}

impl Targets {
    pub(in crate::catalogue) fn insert(&mut self, target: &BindingTarget) {
        if let Err(at) = self.0.binary_search(target) {
            self.0.insert(at, target.clone());
        }
    }

    pub(in crate::catalogue) fn remove(&mut self, target: &BindingTarget) {
        if let Ok(at) = self.0.binary_search(target) {
            self.0.remove(at);
        }
    }

    pub(in crate::catalogue) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::catalogue) fn as_slice(&self) -> &[BindingTarget] {
        &self.0
    }
}
