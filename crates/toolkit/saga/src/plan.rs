//! A saga's plan: its steps in order.

use serde::{Serialize, de::DeserializeOwned};
use stele_toolkit_envelope::Message;

use crate::{
    Draft, StepBuilder,
    any_plan::name_of,
    step::{Build, Step},
};

/// A business transaction over several services. The type itself is the saga's data.
///
/// ```text
/// plan.step("reserve").send(reserve).ok::<InventoryReserved>().fail::<InventoryRejected>()
///     .undo(release);
/// plan.step("charge").send(charge).ok::<PaymentProcessed>().fail::<PaymentFailed>()
///     .timeout(30 s).undo(refund).pivot();
/// plan.step("ship").send(ship).ok::<ShippingScheduled>().forward();
/// plan.done(confirmed).undone(cancelled);
/// ```
pub trait Saga: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name, which instances are stored under.
    const NAME: &'static str;
    /// The version of the plan. An instance goes by the version that it began with.
    const VERSION: u32;
    /// The message that starts an instance.
    type Start: Message;

    /// The data of a new instance.
    fn begin(start: &Self::Start) -> Self;

    /// Declares the steps.
    fn plan(plan: &mut Plan<Self>);
}

/// The steps of a saga, in stages: those of a stage are done at the same time.
pub struct Plan<S> {
    pub(crate) steps: Vec<Step<S>>,
    pub(crate) done: Option<Build<S>>,
    pub(crate) undone: Option<Build<S>>,
    stages: usize,
    is_parallel: bool,
}

impl<S: Saga> Plan<S> {
    /// The plan that the saga declares.
    pub fn new() -> Self {
        let mut plan = Self {
            steps: Vec::new(),
            done: None,
            undone: None,
            stages: 0,
            is_parallel: false,
        };
        S::plan(&mut plan);
        plan
    }

    /// Adds a step, which begins once all before it are done.
    ///
    /// One without a command waits for its reply alone. One with neither is done at once: its undo
    /// undoes what was done before the saga began.
    pub fn step(&mut self, name: &'static str) -> StepBuilder<'_, S> {
        if !self.is_parallel {
            self.stages += 1;
        }
        self.steps.push(Step::new(name, self.stages));
        let at = self.steps.len() - 1;
        StepBuilder::new(&mut self.steps[at])
    }

    /// Adds the steps that `declare` adds as one stage: they begin together, and what follows
    /// begins once all of them are done.
    pub fn all(&mut self, declare: impl FnOnce(&mut Self)) {
        self.stages += 1;
        self.is_parallel = true;
        declare(self);
        self.is_parallel = false;
    }

    /// The event that is published when all steps are done.
    pub fn done<M: Message>(
        &mut self,
        event: impl Fn(&S) -> M + Send + Sync + 'static,
    ) -> &mut Self {
        self.done = Some(Box::new(move |data| Draft::of(&event(data))));
        self
    }

    /// The event that is published when what was done is undone.
    pub fn undone<M: Message>(
        &mut self,
        event: impl Fn(&S) -> M + Send + Sync + 'static,
    ) -> &mut Self {
        self.undone = Some(Box::new(move |data| Draft::of(&event(data))));
        self
    }

    /// The types of the replies, each once: what the saga's service subscribes to.
    pub fn reply_types(&self) -> Vec<&'static str> {
        let replies = self.steps.iter().flat_map(|step| &step.replies);
        let names = replies.filter_map(|reply| name_of(reply.reads));
        let mut types: Vec<_> = names.collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    /// The names of the steps, in order: an instance goes on only with a plan that has the same.
    pub fn step_names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|step| step.name).collect()
    }

    /// The plan as a mermaid flow chart.
    pub fn diagram(&self) -> String {
        let mut chart = String::from("flowchart LR\n");
        for (at, step) in self.steps.iter().enumerate() {
            let mark = match (step.is_pivot, step.is_forward) {
                (true, _) => " (pivot)",
                (_, true) => " (forward)",
                _ => "",
            };
            chart += &format!("    s{at}[\"{}{mark}\"]\n", step.name);
            let later = self.steps.iter().enumerate().skip(at + 1);
            for (next, _) in later.filter(|(_, later)| later.stage == step.stage + 1) {
                chart += &format!("    s{at} --> s{next}\n");
            }
            if step.undo.is_some() {
                chart += &format!("    s{at} -.->|undo| u{at}[\"undo {}\"]\n", step.name);
            }
        }
        chart
    }
}

impl<S: Saga> Default for Plan<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> std::fmt::Debug for Plan<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.steps.iter().map(|step| step.name);
        f.debug_list().entries(names).finish()
    }
}
