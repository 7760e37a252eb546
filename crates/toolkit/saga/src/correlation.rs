//! Choreography: a view of everything that services publish about one matter, by its correlation
//! id, with what is expected to follow and by when.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use stele_toolkit_bus::Reads;
use stele_toolkit_envelope::{Envelope, Message, Timestamp};

use crate::{
    Answered, DecideError, Effect, Entry, Operator, SagaError, SagaId, Status,
    any_plan::{AnyPlan, Turned, name_of, named, read, reads_of, write},
    rows::Stored,
};

/// What services publish about one matter, without one of them that leads.
///
/// Each event is noted in the history of the instance that has its correlation id, in whatever
/// order events come. Where something is expected to follow and doesn't in time, a person is told,
/// and the instance is listed as stuck until it comes. A rule that is changed counts for events
/// from then on.
///
/// ```text
/// Correlation::new("order-flow")
///     .after::<PaymentProcessed>(60 s, Next::is::<ShippingScheduled>().or::<PaymentRefunded>())
///     .ends::<ShippingScheduled>().fails::<OrderCancelled>()
/// ```
#[derive(Clone, Debug)]
pub struct Correlation {
    name: &'static str,
    types: Vec<Reads>,
    rules: Vec<Rule>,
    /// The types that end an instance, and whether well.
    ends: Vec<(&'static str, bool)>,
}

#[derive(Clone, Debug)]
struct Rule {
    after: &'static str,
    within: Duration,
    next: Vec<&'static str>,
}

/// What is expected to follow: one of some types.
#[derive(Clone, Debug)]
pub struct Next(Vec<Reads>);

impl Next {
    /// A message of this type.
    pub fn is<M: Message>() -> Self {
        Self(vec![reads_of::<M>()])
    }

    /// Or one of this type.
    #[must_use]
    pub fn or<M: Message>(mut self) -> Self {
        self.0.push(reads_of::<M>());
        self
    }
}

impl Correlation {
    /// A view without events. Its name is the one that instances are stored under.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            types: Vec::new(),
            rules: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Notes messages of this type.
    #[must_use]
    pub fn notes<M: Message>(mut self) -> Self {
        self.add(reads_of::<M>());
        self
    }

    /// Notes messages of this type, and expects one of others within this time of it. If one of
    /// those is here already, nothing is expected: they came in another order.
    #[must_use]
    pub fn after<M: Message>(mut self, within: Duration, next: Next) -> Self {
        let names = next.0.iter().filter_map(|reads| name_of(*reads)).collect();
        self.rules.push(Rule {
            after: M::TYPE,
            within,
            next: names,
        });
        self.add(reads_of::<M>());
        next.0.into_iter().for_each(|reads| self.add(reads));
        self
    }

    /// Notes messages of this type: with one, the matter has come to its end, once nothing more is
    /// expected.
    #[must_use]
    pub fn ends<M: Message>(mut self) -> Self {
        self.ends.push((M::TYPE, true));
        self.notes::<M>()
    }

    /// Notes messages of this type: with one, the matter has failed, once nothing more is expected.
    #[must_use]
    pub fn fails<M: Message>(mut self) -> Self {
        self.ends.push((M::TYPE, false));
        self.notes::<M>()
    }

    fn add(&mut self, reads: Reads) {
        if !self.types.contains(&reads) {
            self.types.push(reads);
        }
    }

    /// The name of a message's type, if it is one of these.
    fn kind(&self, envelope: &Envelope) -> Option<&'static str> {
        self.types.iter().find_map(|reads| named(*reads, envelope))
    }

    /// Takes an event into an instance.
    fn take(&self, flow: &mut Flow, envelope: &Envelope) -> Vec<Effect> {
        let Some(kind) = self.kind(envelope) else {
            return Vec::new();
        };
        *flow.seen.entry(kind.to_owned()).or_default() += 1;
        let came = |open: &Expected| open.next.iter().any(|name| name == kind);
        flow.expected.retain(|open| !came(open));
        for rule in self.rules.iter().filter(|rule| rule.after == kind) {
            let is_here = rule.next.iter().any(|name| flow.seen.contains_key(*name));
            let is_open = flow.expected.iter().any(|open| {
                open.after == rule.after && open.next.iter().eq(rule.next.iter().copied())
            });
            if !is_here && !is_open {
                flow.expected.push(Expected {
                    after: rule.after.to_owned(),
                    next: rule.next.iter().map(|name| (*name).to_owned()).collect(),
                    deadline: Some(envelope.timestamp + rule.within),
                });
            }
        }
        if let Some((_, is_done)) = self.ends.iter().find(|(name, _)| *name == kind) {
            flow.outcome = Some(*is_done);
        }
        let mut effects = vec![Effect::Log(Entry::Seen {
            message_type: kind.to_owned(),
            source: envelope.source.clone(),
            message_id: envelope.message_id.clone(),
            at: envelope.timestamp,
        })];
        effects.extend(flow.settle());
        effects
    }

    fn turned(&self, flow: &Flow, effects: Vec<Effect>) -> Result<Turned, SagaError> {
        let deadlines = flow.expected.iter().filter_map(|open| open.deadline);
        Ok(Turned {
            body: write(self.name, &flow.id.0, flow)?,
            status: flow.status,
            is_stuck: flow.is_stuck(),
            due_at: deadlines.min(),
            effects,
        })
    }
}

/// An instance, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flow {
    id: SagaId,
    status: Status,
    /// How many events of each type have come.
    seen: BTreeMap<String, u64>,
    expected: Vec<Expected>,
    /// Whether an event that ends it has come, and whether it was a good end.
    outcome: Option<bool>,
}

/// Something that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    after: String,
    next: Vec<String>,
    /// `None` once it has passed, and a person was told.
    deadline: Option<Timestamp>,
}

impl Flow {
    fn new(id: &str) -> Self {
        Self {
            id: SagaId(id.to_owned()),
            status: Status::Running,
            seen: BTreeMap::new(),
            expected: Vec::new(),
            outcome: None,
        }
    }

    fn is_stuck(&self) -> bool {
        self.expected.iter().any(|open| open.deadline.is_none())
    }

    /// Ends the instance if nothing more is expected, or takes it up again.
    fn settle(&mut self) -> Option<Effect> {
        let before = self.status;
        self.status = match self.outcome {
            Some(true) if self.expected.is_empty() => Status::Done,
            Some(false) if self.expected.is_empty() => Status::Undone,
            _ => Status::Running,
        };
        let is_end = self.status.is_ended() && self.status != before;
        is_end.then(|| {
            let is_done = self.status == Status::Done;
            Effect::Log(Entry::Ended { is_done })
        })
    }
}

impl AnyPlan for Correlation {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> u32 {
        1
    }

    fn reads(&self) -> Vec<Reads> {
        self.types.clone()
    }

    fn starts_with(&self, envelope: &Envelope) -> bool {
        self.takes(envelope)
    }

    fn takes(&self, envelope: &Envelope) -> bool {
        self.kind(envelope).is_some()
    }

    fn start(&self, id: &str, envelope: &Envelope, _now: Timestamp) -> Result<Turned, SagaError> {
        let mut flow = Flow::new(id);
        let mut effects = vec![Effect::Log(Entry::Started)];
        effects.extend(self.take(&mut flow, envelope));
        self.turned(&flow, effects)
    }

    fn message(
        &self,
        stored: &Stored,
        envelope: &Envelope,
        _to: Answered,
        _now: Timestamp,
    ) -> Result<Turned, SagaError> {
        let mut flow: Flow = read(stored)?;
        let effects = self.take(&mut flow, envelope);
        self.turned(&flow, effects)
    }

    fn due(&self, stored: &Stored, now: Timestamp) -> Result<Turned, SagaError> {
        let mut flow: Flow = read(stored)?;
        let mut effects = Vec::new();
        let is_late = |open: &&mut Expected| open.deadline.is_some_and(|at| at <= now);
        for open in flow.expected.iter_mut().filter(is_late) {
            open.deadline = None;
            let (after, expected) = (open.after.clone(), open.next.join(" or "));
            let alert = format!("{expected} hasn't followed {after} in time");
            effects.push(Effect::Alert(alert));
            effects.push(Effect::Log(Entry::Overdue { after, expected }));
        }
        self.turned(&flow, effects)
    }

    /// An operator can't make services do something, but can expect it no longer.
    fn operate(
        &self,
        stored: &Stored,
        action: Operator,
        _now: Timestamp,
    ) -> Result<Turned, SagaError> {
        let mut flow: Flow = read(stored)?;
        if flow.status.is_ended() {
            return Err(DecideError::Ended(flow.id).into());
        }
        if action != Operator::Skip {
            let why = "no one leads this flow: send the services what they need, or skip what is \
                       overdue";
            let why = why.to_owned();
            return Err(DecideError::NotPossible { why }.into());
        }
        flow.expected.retain(|open| open.deadline.is_some());
        let action = action.word().to_owned();
        let mut effects = vec![Effect::Log(Entry::Operator { action })];
        effects.extend(flow.settle());
        self.turned(&flow, effects)
    }

    fn diagram(&self) -> String {
        let mut chart = String::from("flowchart LR\n");
        for rule in &self.rules {
            for next in &rule.next {
                let (after, within) = (rule.after, rule.within);
                chart += &format!("    {after} -->|within {within:?}| {next}\n");
            }
        }
        for (name, is_done) in &self.ends {
            let end = if *is_done { "done" } else { "failed" };
            chart += &format!("    {name} --> {end}\n");
        }
        chart
    }
}
