//! Processes: what takes messages and deadlines one after the other, and decides by itself what
//! follows. For what doesn't fit the steps of a [`crate::Saga`].

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use stele_toolkit_bus::Reads;
use stele_toolkit_envelope::{EncodeError, Envelope, Message, Timestamp};

use crate::{
    Action, Answered, DecideError, Draft, Effect, Entry, Operator, SagaError, SagaId, Status,
    any_plan::{AnyPlan, Turned, named, read, reads_of, write},
    rows::Stored,
};

/// A process manager: the type itself is its state, and [`Process::decide`] is all that it does.
///
/// It is stored, woken and shown to operators as sagas are. It isn't undone by itself: a process
/// that has to undo something sends the commands for it.
pub trait Process: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name, which instances are stored under.
    const NAME: &'static str;
    /// The version of its state and its decisions. An instance goes by the one that it began with.
    const VERSION: u32;

    /// The types of messages that it takes.
    fn messages(types: &mut MessageTypes);

    /// What follows from something that happened, at this time. `state` is `None` if the message
    /// makes a new instance. It has no effect of its own: it may be called again for the same.
    fn decide(
        state: Option<Self>,
        happened: &Happened<'_>,
        now: Timestamp,
    ) -> Result<Decision<Self>, DecideError>;
}

/// The types of messages that a process takes.
#[derive(Debug, Default)]
pub struct MessageTypes {
    all: Vec<Reads>,
    starts: Vec<Reads>,
}

impl MessageTypes {
    /// Those of a process.
    pub fn of<P: Process>() -> Self {
        let mut types = Self::default();
        P::messages(&mut types);
        types
    }

    /// Whether a message makes a new instance where there is none.
    pub fn starts_with(&self, envelope: &Envelope) -> bool {
        let mut starts = self.starts.iter();
        starts.any(|reads| named(*reads, envelope).is_some())
    }

    /// Whether the process takes a message.
    pub fn takes(&self, envelope: &Envelope) -> bool {
        let mut all = self.all.iter();
        all.any(|reads| named(*reads, envelope).is_some())
    }

    /// A type that makes a new instance where there is none of its correlation id.
    pub fn start<M: Message>(&mut self) -> &mut Self {
        self.starts.push(reads_of::<M>());
        self.take::<M>()
    }

    /// A type for instances that are there. Without one, the message is of no use.
    pub fn take<M: Message>(&mut self) -> &mut Self {
        self.all.push(reads_of::<M>());
        self
    }
}

/// What happened to a process.
#[derive(Clone, Copy, Debug)]
pub enum Happened<'a> {
    /// A message came: ask with [`Envelope::is`], read with [`Envelope::open`].
    Message(&'a Envelope),
    /// The timer of this name is due. It is gone.
    Timer(&'a str),
    /// An operator intervenes. Refuse with [`DecideError::NotPossible`] what makes no sense.
    Operator(Operator),
}

/// What a process makes of something that happened.
#[derive(Debug)]
#[must_use]
pub struct Decision<P> {
    state: Option<P>,
    end: Option<bool>,
    is_stuck: bool,
    timers: Vec<(String, Option<Timestamp>)>,
    effects: Vec<Effect>,
    problem: Option<EncodeError>,
}

impl<P> Decision<P> {
    /// The process goes on with this state.
    pub fn to(state: P) -> Self {
        Self {
            state: Some(state),
            ..Self::unchanged()
        }
    }

    /// Nothing follows, as of a message that comes for the second time. The history says so.
    pub fn unchanged() -> Self {
        Self {
            state: None,
            end: None,
            is_stuck: false,
            timers: Vec::new(),
            effects: Vec::new(),
            problem: None,
        }
    }

    /// Sends a command to the queue that its type names. All commands of one `action` have the same
    /// action id, so that a [`crate::Participant`] knows what an undo undoes.
    pub fn send<M: Message>(mut self, action: &str, command: &M) -> Self {
        if let Some(draft) = self.draft(command) {
            let action = action.to_owned();
            self.effects.push(Effect::Act { action, draft });
        }
        self
    }

    /// Publishes an event to the topic that its type names.
    pub fn publish<M: Message>(mut self, event: &M) -> Self {
        if let Some(draft) = self.draft(event) {
            self.effects.push(Effect::Event(draft));
        }
        self
    }

    /// Sets the timer of a name, in place of the one that there may be.
    pub fn timer(mut self, name: &str, at: Timestamp) -> Self {
        self.timers.push((name.to_owned(), Some(at)));
        self
    }

    /// Removes a timer.
    pub fn cancel_timer(mut self, name: &str) -> Self {
        self.timers.push((name.to_owned(), None));
        self
    }

    /// Tells a person, and lists the instance as stuck until the next decision.
    pub fn alert(mut self, text: impl Into<String>) -> Self {
        self.is_stuck = true;
        self.effects.push(Effect::Alert(text.into()));
        self
    }

    /// Adds a line to the instance's history.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        self.effects.push(Effect::Log(Entry::Noted { text }));
        self
    }

    /// Ends the process: what it was for is done.
    pub fn done(self) -> Self {
        self.end(true)
    }

    /// Ends the process: what it was for isn't done, and what was done of it is undone.
    pub fn undone(self) -> Self {
        self.end(false)
    }

    fn end(mut self, is_done: bool) -> Self {
        self.end = Some(is_done);
        self
    }

    fn draft<M: Message>(&mut self, message: &M) -> Option<Draft> {
        match Draft::of(message) {
            Ok(draft) => Some(draft),
            Err(error) => {
                self.problem.get_or_insert(error);
                None
            }
        }
    }
}

/// An instance of a process, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessInstance<P> {
    id: SagaId,
    status: Status,
    is_stuck: bool,
    data: P,
    timers: BTreeMap<String, Timestamp>,
    /// How many commands there were of each action.
    attempts: BTreeMap<String, u32>,
}

/// A process behind the orchestrator's trait.
pub(crate) struct ProcessPlan<P> {
    types: MessageTypes,
    of: PhantomData<fn() -> P>,
}

impl<P> fmt::Debug for ProcessPlan<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.types.fmt(f)
    }
}

impl<P: Process> ProcessPlan<P> {
    pub(crate) fn new() -> Self {
        let types = MessageTypes::of::<P>();
        let of = PhantomData;
        Self { types, of }
    }

    fn decide(
        stored: &Stored,
        happened: &Happened<'_>,
        now: Timestamp,
    ) -> Result<Turned, SagaError> {
        let mut instance: ProcessInstance<P> = read(stored)?;
        let effects = instance.happened(happened, now)?;
        instance.turned(effects)
    }
}

impl<P: Process> ProcessInstance<P> {
    /// The instance that a message makes, and what it begins with.
    pub fn start(
        id: SagaId,
        message: &Envelope,
        now: Timestamp,
    ) -> Result<(Self, Vec<Effect>), DecideError> {
        let happened = Happened::Message(message);
        let mut decision = P::decide(None, &happened, now)?;
        let data = decision.state.take();
        let data = data.ok_or(DecideError::NotPossible {
            why: "the process makes no state of the message that starts it".to_owned(),
        })?;
        decision.state = Some(data.clone());
        let mut instance = Self {
            id,
            status: Status::Running,
            is_stuck: false,
            data,
            timers: BTreeMap::new(),
            attempts: BTreeMap::new(),
        };
        let mut effects = vec![Effect::Log(Entry::Started)];
        effects.extend(instance.take(decision, &happened)?);
        Ok((instance, effects))
    }

    /// What follows from something that happened. After an error the instance is of no use.
    pub fn happened(
        &mut self,
        happened: &Happened<'_>,
        now: Timestamp,
    ) -> Result<Vec<Effect>, DecideError> {
        if self.status.is_ended() {
            return match happened {
                Happened::Operator(_) => Err(DecideError::Ended(self.id.clone())),
                Happened::Message(envelope) => Ok(vec![late(envelope)]),
                Happened::Timer(_) => Ok(Vec::new()),
            };
        }
        let decision = P::decide(Some(self.data.clone()), happened, now)?;
        self.take(decision, happened)
    }

    /// What follows from the timers that are due by now, in their order.
    pub fn due(&mut self, now: Timestamp) -> Result<Vec<Effect>, DecideError> {
        let due = self.timers.iter().filter(|(_, at)| **at <= now);
        let mut due: Vec<(Timestamp, String)> = due.map(|(name, at)| (*at, name.clone())).collect();
        due.sort();
        let mut effects = Vec::new();
        for (at, name) in due {
            // One before may have removed it, or set it anew.
            if self.timers.get(&name) != Some(&at) {
                continue;
            }
            self.timers.remove(&name);
            effects.push(Effect::Log(Entry::Due {
                timer: name.clone(),
            }));
            effects.extend(self.happened(&Happened::Timer(&name), now)?);
        }
        Ok(effects)
    }

    /// Its id.
    pub fn id(&self) -> &SagaId {
        &self.id
    }

    /// Where it is: it is running until it ends.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether a person was told, and nothing was decided since.
    pub fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// The process's state.
    pub fn data(&self) -> &P {
        &self.data
    }

    /// When each timer is due, by name.
    pub fn timers(&self) -> &BTreeMap<String, Timestamp> {
        &self.timers
    }

    /// When the first timer is due.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.timers.values().min().copied()
    }

    /// Takes what was decided into the instance.
    fn take(
        &mut self,
        decision: Decision<P>,
        happened: &Happened<'_>,
    ) -> Result<Vec<Effect>, DecideError> {
        if let Some(problem) = decision.problem {
            return Err(problem.into());
        }
        let mut effects = Vec::new();
        match (happened, decision.state) {
            (_, Some(state)) => self.data = state,
            (Happened::Message(envelope), None) => effects.push(late(envelope)),
            (_, None) => {}
        }
        if let Happened::Operator(action) = happened {
            let action = action.word().to_owned();
            effects.push(Effect::Log(Entry::Operator { action }));
        }
        self.is_stuck = decision.is_stuck;
        for (name, at) in decision.timers {
            match at {
                Some(at) => self.timers.insert(name, at),
                None => self.timers.remove(&name),
            };
        }
        for effect in decision.effects {
            if let Effect::Act { action, .. } = &effect {
                let attempt = self.attempts.entry(action.clone()).or_default();
                *attempt += 1;
                effects.push(Effect::Log(Entry::Sent {
                    step: action.clone(),
                    attempt: *attempt,
                    action: Action::Do,
                }));
            }
            effects.push(effect);
        }
        if let Some(is_done) = decision.end {
            self.status = match is_done {
                true => Status::Done,
                false => Status::Undone,
            };
            self.timers.clear();
            effects.push(Effect::Log(Entry::Ended { is_done }));
        }
        Ok(effects)
    }

    fn turned(&self, effects: Vec<Effect>) -> Result<Turned, SagaError> {
        Ok(Turned {
            body: write(P::NAME, &self.id.0, self)?,
            status: self.status,
            is_stuck: self.is_stuck,
            due_at: self.due_at(),
            effects,
        })
    }
}

impl<P: Process> AnyPlan for ProcessPlan<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn version(&self) -> u32 {
        P::VERSION
    }

    fn reads(&self) -> Vec<Reads> {
        self.types.all.clone()
    }

    fn starts_with(&self, envelope: &Envelope) -> bool {
        self.types.starts_with(envelope)
    }

    fn takes(&self, envelope: &Envelope) -> bool {
        self.types.takes(envelope)
    }

    fn start(&self, id: &str, envelope: &Envelope, now: Timestamp) -> Result<Turned, SagaError> {
        let id = SagaId(id.to_owned());
        let (instance, effects) = ProcessInstance::<P>::start(id, envelope, now)?;
        instance.turned(effects)
    }

    fn message(
        &self,
        stored: &Stored,
        envelope: &Envelope,
        _to: Answered,
        now: Timestamp,
    ) -> Result<Turned, SagaError> {
        Self::decide(stored, &Happened::Message(envelope), now)
    }

    fn due(&self, stored: &Stored, now: Timestamp) -> Result<Turned, SagaError> {
        let mut instance: ProcessInstance<P> = read(stored)?;
        let effects = instance.due(now)?;
        instance.turned(effects)
    }

    fn operate(
        &self,
        stored: &Stored,
        action: Operator,
        now: Timestamp,
    ) -> Result<Turned, SagaError> {
        Self::decide(stored, &Happened::Operator(action), now)
    }

    fn diagram(&self) -> String {
        let mut chart = format!("flowchart LR\n    p[\"{}\"]\n", P::NAME);
        for (at, reads) in self.types.all.iter().enumerate() {
            if let Reads::Type { name, .. } = reads {
                let arrow = match self.types.starts.contains(reads) {
                    true => "-->|begins| p",
                    false => "--> p",
                };
                chart += &format!("    m{at}([\"{name}\"]) {arrow}\n");
            }
        }
        chart
    }
}

fn late(envelope: &Envelope) -> Effect {
    let reply = envelope.message_type.clone();
    Effect::Log(Entry::Late { reply })
}
