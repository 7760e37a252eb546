//! The state machine: what an input makes of an instance.

use stele_toolkit_envelope::{EncodeError, OpenError, Timestamp};

use crate::{
    Action, Answered, Effect, Entry, Input, Instance, Operator, Phase, Plan, Reply, Saga, SagaId,
    Status, StepState,
    step::{ATTEMPTS_UNTIL_STUCK, Says, Step},
};

/// Why an input can't be decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The instance began with another plan: park it until that plan is registered.
    #[error("instance {id} goes by version {found} of the plan, and this is {known}")]
    OtherPlan {
        /// The instance.
        id: SagaId,
        /// Its version.
        found: u32,
        /// The plan's.
        known: u32,
    },
    /// A message couldn't be written as JSON.
    #[error(transparent)]
    Message(#[from] EncodeError),
    /// The reply can't be read: it is a dead letter.
    #[error(transparent)]
    Reply(#[from] OpenError),
    /// The pivot is done: nothing is undone any more.
    #[error("instance {0} is past its pivot")]
    PastPivot(SagaId),
    /// The instance has ended.
    #[error("instance {0} has ended")]
    Ended(SagaId),
    /// What was asked makes no sense here.
    #[error("this can't be done: {why}")]
    NotPossible {
        /// Why not.
        why: String,
    },
}

/// An instance in the middle of a decision, with what is to be done.
pub(crate) struct Turn<'a, S> {
    pub(crate) plan: &'a Plan<S>,
    pub(crate) instance: Instance<S>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) now: Timestamp,
}

impl<S: Saga> Plan<S> {
    /// A new instance, and what it begins with.
    pub fn start(
        &self,
        id: SagaId,
        start: &S::Start,
        now: Timestamp,
    ) -> Result<(Instance<S>, Vec<Effect>), DecideError> {
        let steps = self.steps.iter().map(|step| StepState {
            name: step.name.to_owned(),
            phase: Phase::Pending,
            attempt: 0,
            deadline: None,
        });
        let instance = Instance {
            id,
            version: S::VERSION,
            status: Status::Running,
            is_stuck: false,
            data: S::begin(start),
            steps: steps.collect(),
        };
        let mut turn = self.turn(instance, now);
        turn.log(Entry::Started);
        turn.advance()?;
        Ok((turn.instance, turn.effects))
    }

    /// What an input makes of an instance. The instance given isn't changed.
    pub fn decide(
        &self,
        instance: &Instance<S>,
        input: Input<'_>,
        now: Timestamp,
    ) -> Result<(Instance<S>, Vec<Effect>), DecideError> {
        let names = instance.steps.iter().map(|step| step.name.as_str());
        if instance.version != S::VERSION || !names.eq(self.step_names()) {
            return Err(DecideError::OtherPlan {
                id: instance.id.clone(),
                found: instance.version,
                known: S::VERSION,
            });
        }
        let mut turn = self.turn(instance.clone(), now);
        match input {
            Input::Reply(reply) => turn.reply(reply)?,
            Input::Timer {
                step,
                attempt,
                action,
            } => turn.timer(step, attempt, action)?,
            Input::Operator(action) => turn.operator(action)?,
        }
        Ok((turn.instance, turn.effects))
    }

    fn turn(&self, instance: Instance<S>, now: Timestamp) -> Turn<'_, S> {
        Turn {
            plan: self,
            instance,
            effects: Vec::new(),
            now,
        }
    }
}

impl<S: Saga> Turn<'_, S> {
    /// Begins what may begin now; ends the instance if nothing is left to do.
    pub(crate) fn advance(&mut self) -> Result<(), DecideError> {
        let is_open = |step: &StepState| !matches!(step.phase, Phase::Done | Phase::Skipped);
        let open = self.instance.steps.iter().position(is_open);
        let Some(open) = open else {
            self.instance.status = Status::Done;
            return self.end(true);
        };
        let stage = self.plan.steps[open].stage;
        let mut is_over = false;
        for step in self.steps_of(stage) {
            if self.instance.steps[step].phase != Phase::Pending {
                continue;
            }
            if self.plan.steps[step].is_undo_alone() {
                let name = self.name(step);
                self.set(step, Phase::Done, None);
                self.log(Entry::Done { step: name });
                is_over = true;
            } else {
                self.send(step)?;
            }
        }
        match is_over {
            true => self.advance(),
            false => Ok(()),
        }
    }

    fn reply(&mut self, reply: Reply<'_>) -> Result<(), DecideError> {
        let Some((step, says)) = self.addressee(reply) else {
            let reply = reply.envelope.message_type.clone();
            self.log(Entry::Late { reply });
            return Ok(());
        };
        let kind = self.plan.steps[step].reply(reply.envelope);
        if let Some(kind) = kind {
            (kind.absorb)(&mut self.instance.data, reply.envelope)?;
        }
        self.instance.is_stuck = false;
        let name = self.name(step);
        match says {
            Says::Done => {
                self.set(step, Phase::Done, None);
                self.log(Entry::Done { step: name });
                self.advance()
            }
            Says::Undone => self.undone(step),
            Says::Failed => {
                let reply = reply.envelope.message_type.clone();
                self.log(Entry::Failed { step: name, reply });
                if self.must_succeed(step) {
                    self.again_later(step);
                    return Ok(());
                }
                self.set(step, Phase::Failed, None);
                self.undo()
            }
        }
    }

    /// The step that waits for this reply, and what it says of it.
    fn addressee(&self, reply: Reply<'_>) -> Option<(usize, Says)> {
        let waits = |step: &usize| {
            let state = &self.instance.steps[*step];
            let says = self.plan.steps[*step].reply(reply.envelope)?.says;
            let action = match says {
                Says::Done | Says::Failed => Action::Do,
                Says::Undone => Action::Undo,
            };
            let is_awaited = match action {
                // A reply to an earlier attempt says as much as one to the last.
                Action::Do => matches!(state.phase, Phase::Sent | Phase::Waiting),
                Action::Undo => state.phase == Phase::Undoing,
            };
            let is_meant = match reply.to {
                Answered::Unsaid => true,
                Answered::Command {
                    step: to,
                    action: what,
                    ..
                } => to == *step && what == action,
                Answered::Other => !self.plan.steps[*step].sends(action),
            };
            (is_awaited && is_meant).then_some((*step, says))
        };
        (0..self.instance.steps.len()).find_map(|step| waits(&step))
    }

    fn timer(&mut self, step: usize, attempt: u32, action: Action) -> Result<(), DecideError> {
        let is_awaited = self.instance.steps.get(step).is_some_and(|state| {
            let is_due = state.deadline.is_some_and(|deadline| deadline <= self.now);
            state.attempt == attempt && is_due
        });
        if !is_awaited {
            return Ok(());
        }
        match (self.instance.steps[step].phase, action) {
            (Phase::Waiting, Action::Do) => self.send(step),
            (Phase::Undoing, Action::Undo) => self.send_undo(step),
            (Phase::Sent, Action::Do) => {
                if self.must_succeed(step) || attempt < self.plan.steps[step].attempts {
                    return self.send(step);
                }
                let name = self.name(step);
                self.set(step, Phase::Unknown, None);
                self.log(Entry::Unknown { step: name });
                self.undo()
            }
            _ => Ok(()),
        }
    }

    fn operator(&mut self, action: Operator) -> Result<(), DecideError> {
        if self.instance.status.is_ended() {
            return Err(DecideError::Ended(self.instance.id.clone()));
        }
        let asked = action.word().to_owned();
        self.log(Entry::Operator { action: asked });
        self.instance.is_stuck = false;
        match action {
            Operator::Compensate if self.is_past_pivot() => {
                Err(DecideError::PastPivot(self.instance.id.clone()))
            }
            Operator::Compensate if self.instance.status == Status::Undoing => Ok(()),
            Operator::Compensate => self.undo(),
            Operator::Retry => {
                for step in self.waiting() {
                    match self.instance.steps[step].phase {
                        Phase::Undoing => self.send_undo(step)?,
                        _ => self.send(step)?,
                    }
                }
                Ok(())
            }
            Operator::Skip => {
                for step in self.waiting() {
                    self.set(step, Phase::Skipped, None);
                }
                match self.instance.status {
                    Status::Undoing => self.undo_further(),
                    _ => self.advance(),
                }
            }
        }
    }

    /// The steps that the instance waits for.
    fn waiting(&self) -> Vec<usize> {
        let steps = self.instance.steps.iter().enumerate();
        let waiting = steps.filter(|(_, step)| {
            matches!(step.phase, Phase::Sent | Phase::Waiting | Phase::Undoing)
        });
        waiting.map(|(at, _)| at).collect()
    }

    fn send(&mut self, step: usize) -> Result<(), DecideError> {
        let plan: &Step<S> = &self.plan.steps[step];
        let attempt = self.instance.steps[step].attempt + 1;
        self.instance.steps[step].attempt = attempt;
        // A step without a command only waits for its reply.
        if let Some(build) = &plan.send {
            let draft = build(&self.instance.data)?;
            self.push_command(step, Action::Do, draft);
        }
        self.await_reply(step, Action::Do);
        Ok(())
    }

    pub(crate) fn push_command(&mut self, step: usize, action: Action, draft: crate::Draft) {
        let attempt = self.instance.steps[step].attempt;
        let name = self.name(step);
        self.effects.push(Effect::Command {
            step,
            attempt,
            action,
            draft,
        });
        self.log(Entry::Sent {
            step: name,
            attempt,
            action,
        });
    }

    /// Waits for a reply to the attempt that has begun, and tells an operator if there were many.
    pub(crate) fn await_reply(&mut self, step: usize, action: Action) {
        let plan = &self.plan.steps[step];
        let wait = match action == Action::Undo || self.must_succeed(step) {
            true => Some(plan.patience()),
            false => plan.timeout,
        };
        let phase = match action {
            Action::Do => Phase::Sent,
            Action::Undo => Phase::Undoing,
        };
        let deadline = wait.map(|wait| self.now + wait);
        self.set(step, phase, deadline);
        if self.instance.steps[step].attempt == ATTEMPTS_UNTIL_STUCK {
            self.stuck(step, action);
        }
    }

    fn again_later(&mut self, step: usize) {
        let at = Step::<S>::again_at(self.instance.steps[step].attempt, self.now);
        self.set(step, Phase::Waiting, Some(at));
    }

    fn stuck(&mut self, step: usize, action: Action) {
        self.instance.is_stuck = true;
        let what = match action {
            Action::Do => "done",
            Action::Undo => "undone",
        };
        let (name, attempts) = (self.name(step), ATTEMPTS_UNTIL_STUCK);
        let alert = format!("step {name:?} isn't {what} after {attempts} attempts");
        self.effects.push(Effect::Alert(alert));
    }

    pub(crate) fn end(&mut self, is_done: bool) -> Result<(), DecideError> {
        let event = match is_done {
            true => &self.plan.done,
            false => &self.plan.undone,
        };
        if let Some(event) = event {
            let draft = event(&self.instance.data)?;
            self.effects.push(Effect::Event(draft));
        }
        self.log(Entry::Ended { is_done });
        Ok(())
    }

    /// Whether a step is tried until it succeeds.
    fn must_succeed(&self, step: usize) -> bool {
        self.plan.steps[step].is_forward || self.is_past_pivot()
    }

    pub(crate) fn is_past_pivot(&self) -> bool {
        let steps = self.plan.steps.iter().zip(&self.instance.steps);
        steps
            .filter(|(step, _)| step.is_pivot)
            .any(|(_, state)| state.phase == Phase::Done)
    }

    pub(crate) fn steps_of(&self, stage: usize) -> Vec<usize> {
        let steps = self.plan.steps.iter().enumerate();
        let of = steps.filter(|(_, step)| step.stage == stage);
        of.map(|(at, _)| at).collect()
    }

    pub(crate) fn set(&mut self, step: usize, phase: Phase, deadline: Option<Timestamp>) {
        let state = &mut self.instance.steps[step];
        state.phase = phase;
        state.deadline = deadline;
    }

    pub(crate) fn name(&self, step: usize) -> String {
        self.plan.steps[step].name.to_owned()
    }

    pub(crate) fn log(&mut self, entry: Entry) {
        self.effects.push(Effect::Log(entry));
    }
}

#[cfg(test)]
mod tests;
