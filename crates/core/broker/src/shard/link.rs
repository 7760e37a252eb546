//! The shard's part of the links to other shards: sends commands that are on disk, and acknowledges
//! received commands once their effects are on disk.

use std::sync::Arc;

use bytes::Bytes;
use stele_base_types::{ShardId, Timestamp};
use stele_core_engine::{CatalogueRecord, Durability, LinkCommand, LinkNumber, LinkRecord};

use super::{Shard, committing::bodies_of, definitions::log_change};
use crate::mailbox::Mailbox;

/// A shard's inbox for the links to it: rarely used, and emptied before the fronts' requests.
pub type LinkInbox = Arc<Mailbox<LinkNews>>;

/// The messages between shards.
#[derive(Clone, Debug)]
pub enum LinkNews {
    /// A command for the other shard.
    Command {
        /// The sending shard.
        from: ShardId,
        /// Its number among the sender's commands to this shard.
        number: LinkNumber,
        /// The command.
        command: LinkCommand,
        /// For a move, the records as a batch; `None` if one of them is gone.
        body: Option<Bytes>,
    },
    /// The receiver has the commands up to this one on disk.
    Acknowledged {
        /// The receiver.
        by: ShardId,
        /// The number of the last of them.
        through: LinkNumber,
    },
}

/// What is announced outside the shard once it is on disk, in the order of the decisions.
#[derive(Debug)]
pub(super) enum Announcement {
    /// To the fronts' replica: the catalogue has changed.
    Definition(CatalogueRecord),
    /// To a shard: a command, with its body.
    Command {
        to: ShardId,
        number: LinkNumber,
        command: LinkCommand,
        body: Option<Bytes>,
    },
    /// To a shard: its command was executed.
    Taken(ShardId, LinkNumber),
}

impl Shard {
    /// Handles a message from another shard.
    pub fn handle_link(&mut self, news: LinkNews, now: Timestamp) {
        self.now = now;
        match news {
            LinkNews::Command {
                from,
                number,
                mut command,
                body,
            } => {
                let mut bodies: Vec<Bytes> = body.into_iter().collect();
                if let LinkCommand::Commit(part) = &mut command {
                    part.drop_gone(&self.state.logs);
                    bodies = bodies_of(part);
                }
                let is_known = number <= self.state.links.taken(from);
                let decision = match command {
                    LinkCommand::Move(moving) => {
                        let (decision, body) = self.take_moved(from, number, moving, bodies.pop());
                        bodies.extend(body);
                        decision
                    }
                    _ => self.state.take(from, number, command, now),
                };
                if !self.apply_own_with(decision, &bodies) && is_known {
                    // The acknowledgement may have been lost. This one waits for the disk too.
                    self.announce(Announcement::Taken(from, number));
                }
            }
            LinkNews::Acknowledged { by, through } => {
                let decision = self.state.acknowledged(by, through);
                self.apply_own(decision);
            }
        }
        self.dispatch();
    }

    /// Sends again all commands that aren't acknowledged, because the link is new or has lost
    /// messages. May read the disk, for the bodies of moved records.
    pub fn resend(&self) {
        for (to, number, command) in self.state.links.unacknowledged() {
            // Commands that aren't on disk yet are sent when they are.
            if self.sent_before(to, number) {
                let body = self.body_of(command);
                self.send_command(to, number, command.clone(), body);
            }
        }
    }

    /// The most commands that any shard has yet to acknowledge. While this exceeds its limit, the
    /// driver takes no more requests.
    pub fn link_backlog(&self) -> usize {
        self.state.links.backlog()
    }

    /// The bytes of the records that are being moved to other shards; limited likewise.
    pub fn link_backlog_bytes(&self) -> u64 {
        self.state.links.backlog_bytes()
    }

    pub(super) fn note_link(&mut self, record: &LinkRecord, body: Option<&Bytes>) {
        let announcement = match record {
            LinkRecord::Sent { to, command } => {
                let has_body = matches!(command, LinkCommand::Move(_));
                Announcement::Command {
                    to: *to,
                    number: self.state.links.sent(*to),
                    command: command.clone(),
                    body: body.filter(|_| has_body).cloned(),
                }
            }
            LinkRecord::Taken { from } => Announcement::Taken(*from, self.state.links.taken(*from)),
            LinkRecord::Acknowledged { .. } => return,
        };
        self.announce(announcement);
    }

    /// Announces something once everything decided so far is on disk.
    pub(super) fn announce(&mut self, announcement: Announcement) {
        match self.unreleased_for(Durability::Synced) {
            Some(unreleased) => unreleased.announcements.push(announcement),
            None => self.announce_now(vec![announcement]),
        }
    }

    /// Announces what is on disk, in the order of the decisions: a shard opens a log before the
    /// fronts see its definition, and forgets it after they no longer do.
    pub(super) fn announce_now(&mut self, announcements: Vec<Announcement>) {
        for announcement in announcements {
            match announcement {
                Announcement::Definition(record) => {
                    let mut replica = self.replica.write();
                    log_change(&replica, &record);
                    replica.apply(&record);
                }
                Announcement::Command {
                    to,
                    number,
                    command,
                    body,
                } => self.send_command(to, number, command, body),
                Announcement::Taken(from, through) => {
                    let by = self.id;
                    let news = LinkNews::Acknowledged { by, through };
                    self.links[usize::from(from.0)].push(news);
                }
            }
        }
    }

    fn sent_before(&self, to: ShardId, number: LinkNumber) -> bool {
        let unreleased = self.unreleased.iter().flat_map(|it| &it.announcements);
        let mut unsent = unreleased.filter_map(|it| match it {
            Announcement::Command {
                to: whose, number, ..
            } if *whose == to => Some(*number),
            _ => None,
        });
        unsent.next().is_none_or(|first| number < first)
    }

    fn send_command(
        &self,
        to: ShardId,
        number: LinkNumber,
        command: LinkCommand,
        body: Option<Bytes>,
    ) {
        let from = self.id;
        self.links[usize::from(to.0)].push(LinkNews::Command {
            from,
            number,
            command,
            body,
        });
    }
}
