//! Undoing what was done, in reverse order.

use crate::{Action, DecideError, Entry, Phase, Saga, Status, decide::Turn};

impl<S: Saga> Turn<'_, S> {
    /// Begins to undo the instance. What is being done at this moment has an unknown outcome.
    pub(crate) fn undo(&mut self) -> Result<(), DecideError> {
        self.instance.status = Status::Undoing;
        for step in 0..self.instance.steps.len() {
            if matches!(
                self.instance.steps[step].phase,
                Phase::Sent | Phase::Waiting
            ) {
                let name = self.name(step);
                self.set(step, Phase::Unknown, None);
                self.log(Entry::Unknown { step: name });
            }
        }
        self.undo_further()
    }

    /// Takes note that a step is undone, and goes on.
    pub(crate) fn undone(&mut self, step: usize) -> Result<(), DecideError> {
        self.mark_undone(step);
        self.undo_further()
    }

    /// Undoes the last stage of which something is still to be undone, unless one is being undone.
    pub(crate) fn undo_further(&mut self) -> Result<(), DecideError> {
        loop {
            let mut steps = self.instance.steps.iter();
            if steps.any(|step| step.phase == Phase::Undoing) {
                return Ok(());
            }
            let Some(last) = (0..self.instance.steps.len()).rfind(|step| self.needs_undo(*step))
            else {
                self.instance.status = Status::Undone;
                return self.end(false);
            };
            for step in self.steps_of(self.plan.steps[last].stage) {
                if self.needs_undo(step) {
                    // The attempts at undoing are counted from 1 again.
                    self.instance.steps[step].attempt = 0;
                    self.send_undo(step)?;
                }
            }
        }
    }

    pub(crate) fn send_undo(&mut self, step: usize) -> Result<(), DecideError> {
        let plan = &self.plan.steps[step];
        let Some(build) = &plan.undo else {
            return Ok(());
        };
        let draft = build(&self.instance.data)?;
        self.instance.steps[step].attempt += 1;
        self.push_command(step, Action::Undo, draft);
        match plan.awaits_undo() {
            true => self.await_reply(step, Action::Undo),
            // The command is committed with the instance: it will be handled.
            false => self.mark_undone(step),
        }
        Ok(())
    }

    fn needs_undo(&self, step: usize) -> bool {
        let phase = self.instance.steps[step].phase;
        let may_be_done = matches!(phase, Phase::Done | Phase::Unknown);
        may_be_done && self.plan.steps[step].undo.is_some()
    }

    fn mark_undone(&mut self, step: usize) {
        let name = self.name(step);
        self.set(step, Phase::Undone, None);
        self.log(Entry::Undone { step: name });
    }
}
